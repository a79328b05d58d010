// Inspects pictures with a Flawsight bundle, without Python: see README.md beside this file.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace fs = std::filesystem;
using nlohmann::json;

struct Answer {
    cv::Mat map;  // float, of the size of the square, or joined of the working size
    float score;
};

#ifdef WITH_OPENVINO
#include <openvino/openvino.hpp>

class Graph {
public:
    Graph(const fs::path& file, int side, bool is_half) {
        auto model = core_.read_model(file.string());
        model->reshape(ov::PartialShape{1, side, side, 3});
        // Left alone, OpenVINO computes in bfloat16 on processors that have it.
        auto precision = ov::hint::inference_precision(is_half ? ov::element::f16 : ov::element::f32);
        request_ = core_.compile_model(model, "CPU", precision).create_infer_request();
    }
    Answer operator()(cv::Mat& rgb) {
        auto side = static_cast<size_t>(rgb.rows);
        request_.set_input_tensor(ov::Tensor(ov::element::u8, {1, side, side, 3}, rgb.data));
        request_.infer();
        cv::Mat map(rgb.size(), CV_32F, request_.get_tensor("anomaly_maps").data<float>());
        return {map.clone(), request_.get_tensor("scores").data<float>()[0]};
    }

private:
    ov::Core core_;
    ov::InferRequest request_;
};
#else
#include <onnxruntime_cxx_api.h>

class Graph {
public:
    Graph(const fs::path& file, int, bool) : session_(env_, file.c_str(), Ort::SessionOptions()) {}
    Answer operator()(cv::Mat& rgb) {
        const std::array<int64_t, 4> shape{1, rgb.rows, rgb.cols, 3};
        const char *inputs[] = {"pictures"}, *outputs[] = {"anomaly_maps", "scores"};
        auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        auto input = Ort::Value::CreateTensor<uint8_t>(memory, rgb.data, rgb.total() * 3, shape.data(), shape.size());
        auto found = session_.Run(Ort::RunOptions(), inputs, &input, 1, outputs, 2);
        cv::Mat map(rgb.size(), CV_32F, found[0].GetTensorMutableData<float>());
        return {map.clone(), found[1].GetTensorMutableData<float>()[0]};
    }

private:
    Ort::Env env_{ORT_LOGGING_LEVEL_ERROR};
    Ort::Session session_;
};
#endif

cv::Mat read_bgr(const std::string& path) {  // grey becomes three channels, EXIF turns, transparency is dropped
    cv::Mat image = cv::imread(path, cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH);
    if (image.empty()) throw std::runtime_error("not a picture that OpenCV reads");
    if (image.depth() != CV_8U) throw std::runtime_error("not of 8 bits: bring it there as docs/bundle.md says");
    return image;
}

cv::Mat resized(cv::Mat image, cv::Size size) {  // what shrinks first, by areas; then what grows, linearly
    cv::Size shrunk(std::min(image.cols, size.width), std::min(image.rows, size.height));
    if (image.size() != shrunk) cv::resize(image, image, shrunk, 0, 0, cv::INTER_AREA);
    if (image.size() != size) cv::resize(image, image, size, 0, 0, cv::INTER_LINEAR);
    return image;
}

struct Frame {  // the picture at its working size is cut into squares, which begin at the origins: see docs/bundle.md
    cv::Size working;
    std::vector<cv::Point> origins;

    cv::Rect place(cv::Point at, int side) const { return cv::Rect(at, cv::Size(side, side)) & cv::Rect({}, working); }
};

Frame frame_of(const json& view, int side, int shared, cv::Size size) {
    const int cut = view["tile"].is_null() ? side : view["tile"].get<int>();
    if (view["kind"] == "squash") return {{side, side}, {{0, 0}}};
    const bool is_whole = view["kind"] == "whole";
    if (!is_whole && cut > std::min(size.width, size.height)) throw std::runtime_error("smaller than a tile");
    const double scale = side / double(is_whole ? std::max(size.width, size.height) : cut);
    auto scaled = [&](int n) { return std::max(is_whole ? 1 : side, int(std::nearbyint(n * scale))); };
    Frame frame{{scaled(size.width), scaled(size.height)}, {}};
    auto starts = [&](int length) {  // evenly spread, the last one at the end
        const int count = length <= side ? 1 : int(std::ceil((length - shared) / double(side - shared)));
        const double step = count > 1 ? (length - side) / double(count - 1) : 0;
        std::vector<int> found(count);
        for (int i = 0; i < count; ++i) found[i] = int(std::nearbyint(i * step));
        return found;
    };
    for (int y : starts(frame.working.height))
        for (int x : starts(frame.working.width)) frame.origins.emplace_back(x, y);
    return frame;
}

cv::Mat ramp_of(int side, int blend) {  // a square counts less towards its borders, never nothing
    cv::Mat one(1, side, CV_32F);
    for (int i = 0; i < side; ++i)
        one.at<float>(i) = std::min(std::min(i, side - 1 - i) + .5f, float(blend)) / float(blend);
    return one.t() * one;
}

Answer inspected(Graph& graph, const cv::Mat& bgr, const json& view, int side, bool has_own_scores) {
    const int shared = int(std::nearbyint(view["overlap"].get<double>() * side));
    const Frame frame = frame_of(view, side, shared, bgr.size());
    const cv::Mat seen = resized(bgr, frame.working), ramp = ramp_of(side, std::max(1, shared));
    cv::Mat total = cv::Mat::zeros(frame.working, CV_32F), weights = total.clone(), square;
    float best = -INFINITY;
    for (const cv::Point& at : frame.origins) {
        const cv::Rect place = frame.place(at, side), part({}, place.size());
        cv::copyMakeBorder(seen(place), square, 0, side - part.height, 0, side - part.width,
                           cv::BORDER_CONSTANT | cv::BORDER_ISOLATED, cv::Scalar::all(128));
        cv::cvtColor(square, square, cv::COLOR_BGR2RGB);
        auto [map, score] = graph(square);
        best = std::max(best, score);
        if (frame.origins.size() == 1) map(part).copyTo(total), weights = 1;
        else total(place) += ramp(part).mul(map(part)), weights(place) += ramp(part);
    }
    total /= weights;
    double highest;
    cv::minMaxLoc(total, nullptr, &highest);
    return {total, has_own_scores ? best : float(highest)};
}

cv::Mat heat_map(const cv::Mat& bgr, const cv::Mat& joined, const json& scale) {
    const float stops[7][5] = {{0, 255, 236, 130, 0},      {.25, 255, 236, 130, 0}, {.42, 255, 228, 80, .25},
                               {.5, 255, 212, 40, .55},    {.62, 255, 160, 0, .64}, {.8, 255, 84, 10, .68},
                               {1, 226, 8, 44, .72}};  // place, red, green, blue, how much it covers the picture
    cv::Mat colours(1, 256, CV_8UC3), rest(1, 256, CV_8UC3), map, places, cover, drawn, dimmed;
    for (int i = 0, at = 0; i < 256; ++i) {
        float place = i / 255.f, value[4];
        while (at < 5 && place > stops[at + 1][0]) ++at;
        float share = (place - stops[at][0]) / (stops[at + 1][0] - stops[at][0]);
        for (int k = 0; k < 4; ++k) value[k] = stops[at][k + 1] + share * (stops[at + 1][k + 1] - stops[at][k + 1]);
        for (int k = 0; k < 3; ++k) colours.at<cv::Vec3b>(i)[k] = cv::saturate_cast<uchar>(value[2 - k] * value[3]);
        rest.at<cv::Vec3b>(i) = cv::Vec3b::all(255 - cv::saturate_cast<uchar>(255 * value[3]));
    }
    double low = scale.at("low"), step = 127.5 / (scale.at("threshold").get<double>() - low);
    cv::resize(joined, map, bgr.size(), 0, 0, cv::INTER_LINEAR);
    map.convertTo(places, CV_8U, step, -low * step);
    cv::merge(std::vector<cv::Mat>(3, places), places);
    cv::LUT(places, rest, cover);
    cv::LUT(places, colours, drawn);
    cv::multiply(bgr, cover, dimmed, 1 / 255.0);
    return dimmed + drawn;
}

int main(int count, char** words) try {
    std::vector<std::string> arguments(words + 1, words + count);
    if (count == 5 && arguments[0] == "--resize") {  // for the test vectors
        const int side = std::stoi(arguments[1]);
        return cv::imwrite(arguments[3], resized(read_bgr(arguments[2]), {side, side})) ? 0 : 1;
    }
    fs::path heat_maps;
    if (count > 3 && arguments[0] == "--heat-maps") {
        fs::create_directories(heat_maps = arguments[1]);
        arguments.erase(arguments.begin(), arguments.begin() + 2);
    }
    if (arguments.size() < 2) throw std::invalid_argument("usage: inspect [--heat-maps FOLDER] BUNDLE PICTURE...");
    const fs::path bundle = arguments[0];
    std::ifstream file(bundle / "inspector.json");
    const json manifest = json::parse(file), pixels = manifest["data"]["pixels"];
    const json runtime = manifest.value("runtime", json());
    const int format = manifest["format"];
    if ((format != 5 && format != 6) || runtime.is_null()) throw std::runtime_error("no bundle of format 6 with a graph");
    const json view = manifest["view"];
    if (view["kind"] != "squash" && view["kind"] != "whole" && view["kind"] != "tiles")
        throw std::runtime_error("its view is not known here: " + view["kind"].get<std::string>());
    if (manifest["region"] != "" || manifest.value("judged", "") != "")
        throw std::runtime_error("it inspects a region of interest, which this program cannot: see docs/bundle.md");
    if (pixels.is_object() && (pixels["samples"] != "byte" || !pixels["bayer"].is_null() || pixels["alpha"] == "white"))
        throw std::runtime_error("its pictures are not plain 8-bit ones: see docs/bundle.md");
    const int side = view["side"];
    const bool is_own = !runtime["operating_point"].is_null();  // a graph of lower precision has a threshold of its own
    const double threshold = (is_own ? runtime : manifest)["operating_point"]["threshold"];
    const std::vector<double> good = is_own ? runtime["calibration_scores"] : manifest["calibration"]["scores"];
    Graph graph(bundle / runtime["file"].get<std::string>(), side, runtime["precision"] == "fp16");
    int failed = 0;
    std::cout << "path,score,p_value,verdict\n" << std::setprecision(9);
    for (size_t i = 1; i < arguments.size(); ++i) try {
        const cv::Mat bgr = read_bgr(arguments[i]);
        auto [map, score_] = inspected(graph, bgr, view, side, manifest["has_own_scores"]);
        const double score = score_;
        auto reached = std::count_if(good.begin(), good.end(), [score](double one) { return one >= score; });
        std::cout << std::quoted(arguments[i], '"', '"') << ',' << score << ',' << (1. + reached) / (good.size() + 1)
                  << ',' << (score > threshold ? "defective" : "good") << std::endl;
        const fs::path drawn = heat_maps / (std::to_string(i) + "-" + fs::path(arguments[i]).stem().string() + ".png");
        if (!heat_maps.empty() && !cv::imwrite(drawn.string(), heat_map(bgr, map, manifest["colour_scale"])))
            throw std::runtime_error("the heat map cannot be written");
    } catch (const std::exception& error) {
        std::cerr << arguments[i] << ": " << error.what() << '\n', failed = 1;
    }
    return failed;
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
}

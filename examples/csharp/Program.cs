// Inspects pictures with a Flawsight bundle, without Python: see README.md beside this file.
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using OpenCvSharp;

if (args.Length == 4 && args[0] == "--resize") // for the test vectors
{
    using var picture = ReadBgr(args[2]);
    using var resized = Resized(picture, int.Parse(args[1]));
    return Cv2.ImWrite(args[3], resized) ? 0 : 1;
}
if (args.Length < 2)
{
    Console.Error.WriteLine("usage: inspect BUNDLE PICTURE...");
    return 2;
}
using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(args[0], "inspector.json")));
var manifest = document.RootElement;
if (Complaint(manifest) is { } complaint)
{
    Console.Error.WriteLine(complaint);
    return 2;
}
var runtime = manifest.GetProperty("runtime");
// A graph of lower precision has a threshold of its own.
var isOwn = runtime.GetProperty("operating_point").ValueKind == JsonValueKind.Object;
var threshold = (isOwn ? runtime : manifest).GetProperty("operating_point").GetProperty("threshold").GetDouble();
var scoresOfGood = isOwn
    ? runtime.GetProperty("calibration_scores")
    : manifest.GetProperty("calibration").GetProperty("scores");
var good = scoresOfGood.EnumerateArray().Select(one => one.GetDouble()).ToArray();
var side = manifest.GetProperty("extractor").GetProperty("image_size").GetInt32();
using var session = new InferenceSession(Path.Combine(args[0], runtime.GetProperty("file").GetString()!));
var failed = 0;
Console.WriteLine("path,score,p_value,verdict");
foreach (var path in args.Skip(1))
{
    try
    {
        double score = Score(path);
        double p = (1.0 + good.Count(one => one >= score)) / (good.Length + 1);
        var name = "\"" + path.Replace("\"", "\"\"") + "\"";
        Console.WriteLine($"{name},{score:R},{p:R},{(score > threshold ? "defective" : "good")}");
    }
    catch (Exception error)
    {
        Console.Error.WriteLine($"{path}: {error.Message}");
        failed = 1;
    }
}
return failed;

float Score(string path)
{
    using var bgr = ReadBgr(path);
    using var square = Resized(bgr, side);
    using var rgb = new Mat();
    Cv2.CvtColor(square, rgb, ColorConversionCodes.BGR2RGB);
    var bytes = new byte[side * side * 3];
    Marshal.Copy(rgb.Data, bytes, 0, bytes.Length);
    var pictures = new DenseTensor<byte>(bytes, new[] { 1, side, side, 3 });
    using var found = session.Run(new[] { NamedOnnxValue.CreateFromTensor("pictures", pictures) });
    return found.First(one => one.Name == "scores").AsEnumerable<float>().First(); // beside it: "anomaly_maps"
}

// Grey becomes three channels, EXIF turns, transparency is dropped.
static Mat ReadBgr(string path)
{
    var image = Cv2.ImRead(path, ImreadModes.Color | ImreadModes.AnyDepth);
    if (image.Empty()) throw new InvalidDataException("not a picture that OpenCV reads");
    if (image.Depth() != MatType.CV_8U) throw new InvalidDataException("not of 8 bits: see docs/bundle.md");
    return image;
}

// What shrinks first, by areas; then what grows, linearly.
static Mat Resized(Mat image, int side)
{
    var shrunk = image.Clone();
    var size = new Size(Math.Min(image.Width, side), Math.Min(image.Height, side));
    if (image.Size() != size) Cv2.Resize(image, shrunk, size, 0, 0, InterpolationFlags.Area);
    if (size.Width == side && size.Height == side) return shrunk;
    var square = new Mat();
    Cv2.Resize(shrunk, square, new Size(side, side), 0, 0, InterpolationFlags.Linear);
    shrunk.Dispose();
    return square;
}

static string? Complaint(JsonElement manifest)
{
    var hasGraph = manifest.TryGetProperty("runtime", out var runtime) && runtime.ValueKind == JsonValueKind.Object;
    if (manifest.GetProperty("format").GetInt32() is not (5 or 6) || !hasGraph || runtime.GetProperty("format").GetString() != "onnx")
        return "no bundle of format 6 with an ONNX graph";
    if (manifest.GetProperty("view").GetProperty("kind").GetString() != "squash")
        return "its pictures are not resized to one square, which is all that this program can: see docs/bundle.md";
    var isAllJudged = !manifest.TryGetProperty("judged", out var judged) || judged.GetString() == "";
    if (manifest.GetProperty("region").GetString() != "" || !isAllJudged)
        return "it inspects a region of interest, which this program cannot: see docs/bundle.md";
    var pixels = manifest.GetProperty("data").GetProperty("pixels");
    if (pixels.ValueKind != JsonValueKind.Object) return null;
    var isPlain = pixels.GetProperty("samples").GetString() == "byte"
        && pixels.GetProperty("bayer").ValueKind == JsonValueKind.Null
        && pixels.GetProperty("alpha").GetString() != "white";
    return isPlain ? null : "its pictures are not plain 8-bit ones: see docs/bundle.md";
}

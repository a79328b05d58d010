// Inspects pictures with a Flawsight bundle, without Python: see README.md beside this file.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import cv from "@techstark/opencv-js";
import ort from "onnxruntime-node";
import sharp from "sharp";

// OpenCV is ready a moment later; as it has a `then`, it is not what a promise can give.
if (!cv.Mat) await new Promise((done) => (cv.onRuntimeInitialized = () => done()));

/** A picture as 8-bit RGB: grey becomes three channels, EXIF turns, transparency and colour profiles are dropped. */
async function readRgb(path) {
  const picture = sharp(path, { ignoreIcc: true });
  if ((await picture.metadata()).depth !== "uchar") throw new Error("not of 8 bits: see docs/bundle.md");
  const raw = picture.autoOrient().removeAlpha().toColourspace("srgb").raw();
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** The square as RGB bytes: what shrinks first, by areas; then what grows, linearly. */
function resized({ data, width, height }, side) {
  const image = new cv.Mat(height, width, cv.CV_8UC3);
  image.data.set(data);
  const small = new cv.Size(Math.min(width, side), Math.min(height, side));
  if (width > small.width || height > small.height) cv.resize(image, image, small, 0, 0, cv.INTER_AREA);
  if (width < side || height < side) cv.resize(image, image, new cv.Size(side, side), 0, 0, cv.INTER_LINEAR);
  const square = new Uint8Array(image.data);
  image.delete();
  return square;
}

function checked({ format, runtime, data }) {
  if (format !== 4 || runtime?.format !== "onnx") throw new Error("no bundle of format 4 with an ONNX graph");
  const pixels = data.pixels;
  if (pixels && (pixels.samples !== "byte" || pixels.bayer || pixels.alpha === "white"))
    throw new Error("its pictures are not plain 8-bit ones: see docs/bundle.md");
}

async function inspect(bundle, paths) {
  const manifest = JSON.parse(await readFile(join(bundle, "inspector.json"), "utf8"));
  checked(manifest);
  const { runtime, extractor } = manifest;
  const side = extractor.image_size;
  const own = runtime.operating_point; // a graph of lower precision has a threshold of its own
  const { threshold } = own ?? manifest.operating_point;
  const good = own ? runtime.calibration_scores : manifest.calibration.scores;
  const session = await ort.InferenceSession.create(join(bundle, runtime.file));
  console.log("path,score,p_value,verdict");
  for (const path of paths) {
    try {
      const pictures = new ort.Tensor("uint8", resized(await readRgb(path), side), [1, side, side, 3]);
      const { scores, anomaly_maps } = await session.run({ pictures }); // anomaly_maps.data: side x side values
      const score = scores.data[0];
      const p = (1 + good.filter((one) => one >= score).length) / (good.length + 1);
      const name = `"${path.replaceAll('"', '""')}"`;
      console.log([name, score, p, score > threshold ? "defective" : "good"].join());
    } catch (error) {
      console.error(`${path}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--resize") {
  // for the test vectors
  const side = Number(rest[0]);
  await sharp(resized(await readRgb(rest[1]), side), { raw: { width: side, height: side, channels: 3 } }).toFile(rest[2]);
} else if (rest.length) {
  await inspect(first, rest);
} else {
  console.error("usage: node inspect.mjs BUNDLE PICTURE...");
  process.exitCode = 2;
}

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

/** The picture as RGB bytes of another size: what shrinks first, by areas; then what grows, linearly. */
function resized({ data, width, height }, size) {
  const image = new cv.Mat(height, width, cv.CV_8UC3);
  image.data.set(data);
  const small = new cv.Size(Math.min(width, size.width), Math.min(height, size.height));
  if (width > small.width || height > small.height) cv.resize(image, image, small, 0, 0, cv.INTER_AREA);
  if (width < size.width || height < size.height)
    cv.resize(image, image, new cv.Size(size.width, size.height), 0, 0, cv.INTER_LINEAR);
  const bytes = new Uint8Array(image.data);
  image.delete();
  return bytes;
}

/** To the nearest whole number, halves to the even one. */
const rounded = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The working size, and where the squares begin: see docs/bundle.md. */
function frameOf({ kind, side, tile, overlap }, { width, height }) {
  if (kind === "squash") return { width: side, height: side, origins: [[0, 0]] };
  const cut = tile ?? side;
  if (kind === "tiles" && cut > Math.min(width, height)) throw new Error("smaller than a tile");
  const scale = side / (kind === "whole" ? Math.max(width, height) : cut);
  const scaled = (n) => Math.max(kind === "whole" ? 1 : side, rounded(n * scale));
  const shared = rounded(overlap * side);
  const starts = (length) => {
    const count = length <= side ? 1 : Math.ceil((length - shared) / (side - shared));
    const step = count > 1 ? (length - side) / (count - 1) : 0;
    return Array.from({ length: count }, (_, i) => rounded(i * step));
  };
  const frame = { width: scaled(width), height: scaled(height) };
  frame.origins = starts(frame.height).flatMap((y) => starts(frame.width).map((x) => [y, x]));
  return frame;
}

/** The square that begins at an origin, filled up with grey at the right and below. */
function squareOf(seen, { width, height }, [y, x], side) {
  const square = new Uint8Array(side * side * 3).fill(128);
  for (let row = 0; row < Math.min(side, height - y); row++) {
    const start = ((y + row) * width + x) * 3;
    square.set(seen.subarray(start, start + 3 * Math.min(side, width - x)), row * side * 3);
  }
  return square;
}

/** One map, width x height, of the squares' maps: where they overlap, each counts less towards its borders. */
function joined(maps, { width, height, origins }, side, blend) {
  const total = new Float32Array(width * height);
  const weights = new Float32Array(width * height);
  const ramp = (i) => (maps.length === 1 ? 1 : Math.min(Math.min(i, side - 1 - i) + 0.5, blend) / blend);
  maps.forEach((map, number) => {
    const [y, x] = origins[number];
    for (let row = 0; row < Math.min(side, height - y); row++)
      for (let column = 0; column < Math.min(side, width - x); column++) {
        const at = (y + row) * width + x + column;
        const weight = ramp(row) * ramp(column);
        total[at] += weight * map[row * side + column];
        weights[at] += weight;
      }
  });
  return total.map((value, at) => value / weights[at]);
}

/** The score of a picture, and the map that it is the highest value of, where the method has no scores of its own. */
async function inspected(session, picture, view, hasOwnScores) {
  const { side } = view;
  const frame = frameOf(view, picture);
  const seen = resized(picture, frame);
  const maps = [];
  let best = -Infinity;
  for (const origin of frame.origins) {
    const pictures = new ort.Tensor("uint8", squareOf(seen, frame, origin, side), [1, side, side, 3]);
    const { scores, anomaly_maps } = await session.run({ pictures });
    maps.push(anomaly_maps.data);
    best = Math.max(best, scores.data[0]);
  }
  const map = joined(maps, frame, side, Math.max(1, rounded(view.overlap * side)));
  return { score: hasOwnScores ? best : map.reduce((most, value) => Math.max(most, value), -Infinity), map };
}

function checked({ format, runtime, data, view, region, judged }) {
  if (![5, 6].includes(format) || runtime?.format !== "onnx") throw new Error("no bundle of format 6 with an ONNX graph");
  if (!["squash", "whole", "tiles"].includes(view.kind)) throw new Error(`its view is not known here: ${view.kind}`);
  if (region || judged) throw new Error("it inspects a region of interest, which this program cannot: see docs/bundle.md");
  const pixels = data.pixels;
  if (pixels && (pixels.samples !== "byte" || pixels.bayer || pixels.alpha === "white"))
    throw new Error("its pictures are not plain 8-bit ones: see docs/bundle.md");
}

async function inspect(bundle, paths) {
  const manifest = JSON.parse(await readFile(join(bundle, "inspector.json"), "utf8"));
  checked(manifest);
  const { runtime, view } = manifest;
  const own = runtime.operating_point; // a graph of lower precision has a threshold of its own
  const { threshold } = own ?? manifest.operating_point;
  const good = own ? runtime.calibration_scores : manifest.calibration.scores;
  const session = await ort.InferenceSession.create(join(bundle, runtime.file));
  console.log("path,score,p_value,verdict");
  for (const path of paths) {
    try {
      const { score } = await inspected(session, await readRgb(path), view, manifest.has_own_scores);
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
  const square = { width: side, height: side };
  await sharp(resized(await readRgb(rest[1]), square), { raw: { ...square, channels: 3 } }).toFile(rest[2]);
} else {
  try {
    if (!rest.length) throw new Error("usage: node inspect.mjs BUNDLE PICTURE...");
    await inspect(first, rest);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 2;
  }
}

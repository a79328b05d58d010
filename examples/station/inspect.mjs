// Have a picture inspected by a station, with Node.js 20 and later, without packages:
//   FLAWSIGHT_TOKEN=... node inspect.mjs http://127.0.0.1:8000 PICTURE
// Exit code: 0 good, 1 defective, 2 an error, which is said on standard error.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TRIES = 10, SECONDS = 60;

/** What the station answers; it is asked again, when it says, where it has too much to do. */
async function inspect(station, picture) {
  const body = await readFile(picture);
  const headers = { "Content-Type": "application/octet-stream" };
  if (process.env.FLAWSIGHT_TOKEN) headers.Authorization = `Bearer ${process.env.FLAWSIGHT_TOKEN}`;
  const address = `${station.replace(/\/$/, "")}/v1/inspect?name=${encodeURIComponent(basename(picture))}`;
  for (let left = TRIES; ; left--) {
    const response = await fetch(address, { method: "POST", headers, body, signal: AbortSignal.timeout(1000 * SECONDS) });
    if (response.status !== 429 || left <= 1) return response;
    await response.arrayBuffer();
    await sleep(1000 * Number(response.headers.get("Retry-After") ?? 1));
  }
}

async function main([station, picture, ...more]) {
  if (!picture || more.length) throw new Error("usage: node inspect.mjs STATION PICTURE");
  const response = await inspect(station, picture);
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  const answer = isJson ? await response.json() : { detail: response.statusText };
  if (!response.ok) throw new Error(`${response.status}: ${answer.detail}`);
  console.log(`${answer.verdict} ${answer.score.toFixed(3)}`);
  for (const { box: [left, top, width, height], area_px: area } of answer.regions)
    console.log(`region left=${left} top=${top} width=${width} height=${height} area=${area.toFixed(1)}`);
  return answer.verdict === "good" ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error.cause ? `${error.message}: ${error.cause.message || error.cause.code}` : error.message);
  process.exitCode = 2;
}

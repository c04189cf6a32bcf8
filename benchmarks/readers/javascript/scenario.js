// Reads the member stream: node scenario.js URL FORMAT prints rows and the seconds of the quickest of four.
import { tableFromIPC } from "@uwdata/flechette";
import { connect } from "./shoal.js";

const [url, format] = process.argv.slice(2);
const artifact = connect(url).clusters("Artifact");

async function read() {
  let rows = 0;
  for await (const { arrow, lists } of artifact.stream("streamMembers", { cluster_id: "c", format }))
    rows += format === "arrow" ? tableFromIPC(new Uint8Array(arrow)).numRows : lists.point_id.length;
  return rows;
}

let [rows, best] = [0, Infinity];
for (let i = 0; i < 4; i++) {
  const began = performance.now();
  rows = await read();
  best = Math.min(best, performance.now() - began);
}
console.log(rows, best / 1000);
process.exit();

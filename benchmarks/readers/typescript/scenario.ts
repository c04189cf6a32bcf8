// Reads the member stream: node build/scenario.js URL FORMAT prints rows and the seconds of the quickest of four.
import { tableFromIPC } from "@uwdata/flechette";
import { connect } from "shoal-client";
import { retries } from "./retries.js";

const [url = "", format = "arrow"] = process.argv.slice(2);
const shoal = connect(url, { interceptors: [retries] });

async function read(): Promise<number> {
  let rows = 0;
  for await (const { arrow, lists } of shoal.clustersArtifact.streamMembers({ clusterId: "c", format }))
    rows += format === "arrow" ? tableFromIPC(new Uint8Array(arrow)).numRows : (lists?.pointId.length ?? 0);
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

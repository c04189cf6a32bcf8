// The twelve steps over grpc-js, without generated code: node scenario.js [URL] [FILE]
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import { tableFromIPC } from "@uwdata/flechette";
import { connect, detailsOf } from "./shoal.js";

const [url = "http://127.0.0.1:8000", file = "../scenario/notes.md"] = process.argv.slice(2);
const { rag, clusters } = connect(url, { key: process.env.SHOAL_API_KEY });

async function count(items) {
  let found = 0;
  for await (const part of items) found += part.item_id.length;
  return found;
}

// Steps 1 to 6: a file becomes an index.
console.log("1 health:", (await rag("ServiceInfo").unary("getHealth", {})).status);
const { project_id, name: title } = await rag("Project").unary("createProject", { name: "Scenario" });
console.log("2 project:", title);
const parts = [{ info: { project_id, filename: basename(file) } }, { data: readFileSync(file) }];
const { document_version } = await rag("Document").upload("importDocument", parts);
console.log("3 uploaded:", document_version.content_hash);
const segments = rag("SegmentSet");
const { segment_set_version_id: segment_set_id } = await segments.unary("createSegmentSet", {
  version_id: document_version.version_id,
  loader_type: "markdown",
});
console.log("4 segments:", await count(segments.stream("readSegmentItems", { segment_set_id })));
const chunks = rag("ChunkSet");
const { chunk_set_version_id } = await chunks.unary("createChunkSet", { segment_set_id });
console.log("5 chunks:", await count(chunks.stream("readChunkItems", { chunk_set_id: chunk_set_version_id })));
const indexes = rag("Index");
const { index_id } = await indexes.unary("createIndex", { project_id, name: "Scenario", provider: "faiss" });
const build = { index_id, chunk_set_version_id, execution_mode: "async" };
const { job_id } = await indexes.unary("createIndexBuild", build);
let seen = {};
while (!["succeeded", "failed"].includes(seen.job?.status))
  for await (seen of rag("Job").stream("watchJob", { job_id, resume_token: seen.resume_token }));
console.log("6 job:", seen.job.status);

// Step 7: the pages of a stream.
const retrieve = { project_id, query: "keeper lamp", strategy: { type: "bm25", k: 3 }, limit: 2 };
for await (const page of rag("Retrieval").stream("retrieveStream", { retrieve }))
  console.log("7 page:", page.items.length, "of", page.total);

// Steps 8 and 9: vectors become groups.
const name = `scenario_${randomUUID().slice(0, 12)}`;
const { collection_id } = await clusters("Collection").unary("createCollection", { collection_name: name });
const documents = Array.from({ length: 60 }, (_, i) => {
  const values = [0, 1, 2].map((axis) => (i % 3 === axis ? 1 : 0)).concat(i / 1000);
  return { document_id: `d${i}`, dense_vectors: [{ key: "embedding", value: { values } }] };
});
const upsert = { namespace_id: "default", collection_id, documents };
console.log("8 upserted:", (await clusters("CollectionDocument").unary("upsertDocuments", upsert)).inserted);
const cluster = clusters("Cluster");
const { cluster_id } = await cluster.unary("createCluster", {
  cluster_name: name,
  collection_ids: [collection_id],
  vector_config: {
    clustering_method: "kmeans",
    algorithm_params: { fields: [{ key: "n_clusters", value: { number_value: 3 } }] },
  },
});
let task = await cluster.unary("executeCluster", { cluster_id });
while (["PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING"].includes(task.status)) {
  await setTimeout(100);
  task = await clusters("Task").unary("getTask", { task_id: task.task_id });
}
const { groups } = await cluster.unary("getClusterGroups", { cluster_id });
console.log("9 groups:", ...groups.map((group) => group.member_count).sort());

// Steps 10 and 11: members in columns, and the run as a file.
const artifacts = clusters("Artifact");
let rows = 0;
for await (const { arrow } of artifacts.stream("streamMembers", { cluster_id }))
  rows += tableFromIPC(new Uint8Array(arrow)).numRows; // a copy of its own, since Arrow wants aligned memory
console.log("10 members:", rows);
const link = await artifacts.unary("getExportLink", { cluster_id });
const hash = createHash("sha256");
const token = link.url.split("/").pop();
for await (const part of artifacts.stream("downloadFile", { token })) hash.update(part.data);
console.log("11 parquet:", hash.digest("hex") === link.sha256 ? "hash is right" : "hash is wrong");

// Step 12: a request that breaks a rule of the contract.
try {
  await rag("Project").unary("createProject", {});
} catch (error) {
  const details = detailsOf(error);
  for (const { field, description } of details["google.rpc.BadRequest"].field_violations)
    console.log(`12 error: ${details["google.rpc.ErrorInfo"].reason} ${field}: ${description}`);
}

// The twelve steps over connect-es: node build/scenario.js [URL] [FILE]
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { tableFromIPC } from "@uwdata/flechette";
import { connect } from "shoal-client";
import { BadRequestSchema, ErrorInfoSchema } from "shoal-client/google/rpc/error_details_pb";
import { retries } from "./retries.js";

const [url = "http://127.0.0.1:8000", file = "../scenario/notes.md"] = process.argv.slice(2);
const key = process.env.SHOAL_API_KEY;
const withKey: Interceptor = (next) => (request) => {
  if (key) request.header.set("authorization", `Bearer ${key}`);
  return next(request);
};
const shoal = connect(url, { interceptors: [withKey, retries], defaultTimeoutMs: 600_000 });

async function count(items: AsyncIterable<{ itemId: string[] }>): Promise<number> {
  let found = 0;
  for await (const part of items) found += part.itemId.length;
  return found;
}

// Steps 1 to 6: a file becomes an index.
async function fileToIndex(): Promise<string> {
  console.log("1 health:", (await shoal.ragServiceInfo.getHealth({})).status);
  const { projectId, name } = await shoal.ragProject.createProject({ name: "Scenario" });
  console.log("2 project:", name);
  async function* parts() {
    yield { content: { case: "info" as const, value: { projectId, filename: basename(file) } } };
    yield { content: { case: "data" as const, value: readFileSync(file) } };
  }
  const { documentVersion } = await shoal.ragDocument.importDocument(parts());
  console.log("3 uploaded:", documentVersion?.contentHash);
  const { segmentSetVersionId: segmentSetId } = await shoal.ragSegmentSet.createSegmentSet({
    versionId: documentVersion?.versionId,
    loaderType: "markdown",
  });
  console.log("4 segments:", await count(shoal.ragSegmentSet.readSegmentItems({ segmentSetId })));
  const { chunkSetVersionId } = await shoal.ragChunkSet.createChunkSet({ segmentSetId });
  console.log("5 chunks:", await count(shoal.ragChunkSet.readChunkItems({ chunkSetId: chunkSetVersionId })));
  const { indexId } = await shoal.ragIndex.createIndex({ projectId, name: "Scenario", provider: "faiss" });
  const { jobId } = await shoal.ragIndex.createIndexBuild({ indexId, chunkSetVersionId, executionMode: "async" });
  let [status, resumeToken]: [string, string | undefined] = ["queued", undefined];
  while (!["succeeded", "failed"].includes(status))
    for await (const seen of shoal.ragJob.watchJob({ jobId, resumeToken }))
      [status, resumeToken] = [seen.job?.status ?? status, seen.resumeToken];
  console.log("6 job:", status);
  return projectId;
}

// Step 7: the pages of a stream.
async function retrieve(projectId: string): Promise<void> {
  const asked = { projectId, query: "keeper lamp", strategy: { type: "bm25", k: 3 }, limit: 2 };
  for await (const page of shoal.ragRetrieval.retrieveStream({ retrieve: asked }))
    console.log("7 page:", page.items.length, "of", page.total);
}

// Steps 8 and 9: vectors become groups.
async function vectorsToGroups(): Promise<string> {
  const name = `scenario_${randomUUID().slice(0, 12)}`;
  const { collectionId } = await shoal.clustersCollection.createCollection({ collectionName: name });
  const documents = Array.from({ length: 60 }, (_, i) => {
    const values = [...[0, 1, 2].map((axis) => (i % 3 === axis ? 1 : 0)), i / 1000];
    return { documentId: `d${i}`, denseVectors: { embedding: { values } } };
  });
  const stored = await shoal.clustersCollectionDocument.upsertDocuments({
    namespaceId: "default",
    collectionId,
    documents,
  });
  console.log("8 upserted:", stored.inserted);
  const { clusterId } = await shoal.clustersCluster.createCluster({
    clusterName: name,
    collectionIds: [collectionId],
    vectorConfig: { clusteringMethod: "kmeans", algorithmParams: { n_clusters: 3 } },
  });
  let task = await shoal.clustersCluster.executeCluster({ clusterId });
  while (["PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING"].includes(task.status)) {
    await setTimeout(100);
    task = await shoal.clustersTask.getTask({ taskId: task.taskId });
  }
  const { groups } = await shoal.clustersCluster.getClusterGroups({ clusterId });
  console.log("9 groups:", ...groups.map((group) => group.memberCount).sort());
  return clusterId;
}

// Steps 10 and 11: members in columns, and the run as a file.
async function results(clusterId: string): Promise<void> {
  let rows = 0;
  for await (const { arrow } of shoal.clustersArtifact.streamMembers({ clusterId }))
    rows += tableFromIPC(new Uint8Array(arrow)).numRows; // a copy of its own, since Arrow wants aligned memory
  console.log("10 members:", rows);
  const link = await shoal.clustersArtifact.getExportLink({ clusterId });
  const hash = createHash("sha256");
  const token = link.url.split("/").pop();
  for await (const part of shoal.clustersArtifact.downloadFile({ token })) hash.update(part.data);
  console.log("11 parquet:", hash.digest("hex") === link.sha256 ? "hash is right" : "hash is wrong");
}

// Step 12: a request that breaks a rule of the contract.
async function error(): Promise<void> {
  try {
    await shoal.ragProject.createProject({});
  } catch (caught) {
    const failed = ConnectError.from(caught);
    const [info] = failed.findDetails(ErrorInfoSchema);
    for (const { field, description } of failed.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [])
      console.log(`12 error: ${info?.reason} ${field}: ${description}`);
  }
}

await retrieve(await fileToIndex());
await results(await vectorsToGroups());
await error();

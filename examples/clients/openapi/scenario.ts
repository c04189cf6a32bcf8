// The twelve steps over the JSON paths: node build/scenario.js [URL] [FILE]
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./shoal.js";

const [url = "http://127.0.0.1:8000", file = "../scenario/notes.md"] = process.argv.slice(2);
const key = process.env.SHOAL_API_KEY;
const headers = key ? { authorization: `Bearer ${key}` } : {};
const shoal = createClient<paths>({ baseUrl: url, headers, fetch: patiently });

/** Fetches with a deadline, and asks again while the server is busy or away; calls that only read, and no others. */
async function patiently(request: Request): Promise<Response> {
  const most = request.method === "GET" ? 4 : 1;
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(request.clone(), { signal: AbortSignal.timeout(600_000) });
    if (attempt === most || ![429, 503].includes(answer.status)) return answer;
    await setTimeout(200 * 2 ** attempt * Math.random());
  }
}

/** Returns what a call that has to work answered. */
function must<T>({ data, error, response }: { data?: T; error?: unknown; response: Response }): T {
  if (data === undefined) throw new Error(`${response.status} ${response.url}: ${JSON.stringify(error)}`);
  return data;
}

// Steps 1 to 6: a file becomes an index.
async function fileToIndex(): Promise<string> {
  console.log("1 health:", must(await shoal.GET("/health")).status);
  const project = must(await shoal.POST("/api/v1/projects", { body: { name: "Scenario" } }));
  console.log("2 project:", project.name);
  const { document_version: version } = await upload(project.project_id);
  console.log("3 uploaded:", version.content_hash);
  const segments = must(
    await shoal.POST("/api/v1/document_versions/{version_id}/segments", {
      params: { path: { version_id: version.version_id } },
      body: { loader_type: "markdown" },
    }),
  );
  console.log("4 segments:", segments.items.length);
  const chunks = must(
    await shoal.POST("/api/v1/segment_sets/{segment_set_id}/chunk", {
      params: { path: { segment_set_id: segments.segment_set.segment_set_version_id } },
      body: {},
    }),
  );
  console.log("5 chunks:", chunks.items.length);
  console.log("6 job:", await build(project.project_id, chunks.chunk_set.chunk_set_version_id));
  return project.project_id;
}

async function upload(project_id: string) {
  const form = new FormData();
  form.append("file", new Blob([readFileSync(file)]), basename(file));
  return must(
    await shoal.POST("/api/v1/projects/{project_id}/documents", {
      params: { path: { project_id } },
      body: { file: basename(file) },
      bodySerializer: () => form, // the generated type of a file is text
    }),
  );
}

async function build(project_id: string, chunk_set_version_id: string): Promise<string> {
  const index = must(
    await shoal.POST("/api/v1/projects/{project_id}/indexes", {
      params: { path: { project_id } },
      body: { name: "Scenario", provider: "faiss" },
    }),
  );
  const { job_id = "" } = must(
    await shoal.POST("/api/v1/indexes/{index_id}/builds", {
      params: { path: { index_id: index.index_id } },
      body: { chunk_set_version_id, execution_mode: "async" },
    }),
  );
  for (;;) {
    const job = must(await shoal.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id } } }));
    if (["succeeded", "failed"].includes(job.status)) return job.status;
    await setTimeout(100);
  }
}

// Step 7: page after page, each with the cursor of the one before.
async function retrieve(project_id: string): Promise<void> {
  let cursor: string | null = null;
  do {
    const body = { query: "keeper lamp", strategy: { type: "bm25" as const, k: 3 }, limit: 2, cursor };
    const page: components["schemas"]["rag.RetrieveResponse"] = must(
      await shoal.POST("/api/v1/projects/{project_id}/retrieve", { params: { path: { project_id } }, body }),
    );
    console.log("7 page:", page.items.length, "of", page.total);
    cursor = page.next_cursor;
  } while (cursor);
}

// Steps 8 and 9: vectors become groups.
async function vectorsToGroups(): Promise<{ cluster_id: string; run_id: string }> {
  const name = `scenario_${randomUUID().slice(0, 12)}`;
  const { collection_id } = must(await shoal.POST("/v1/collections", { body: { collection_name: name } }));
  const documents = Array.from({ length: 60 }, (_, i) => {
    const vector = [...[0, 1, 2].map((axis) => (i % 3 === axis ? 1 : 0)), i / 1000];
    return { document_id: `d${i}`, vectors: { embedding: vector } };
  });
  const stored = must(
    await shoal.POST("/v1/namespaces/{namespace_id}/documents/upsert", {
      params: { path: { namespace_id: "default" } },
      body: { collection_id, documents },
    }),
  );
  console.log("8 upserted:", stored.inserted);
  const { cluster_id } = must(
    await shoal.POST("/v1/clusters", {
      body: {
        cluster_name: name,
        collection_ids: [collection_id],
        vector_config: { clustering_method: "kmeans", algorithm_params: { n_clusters: 3 } },
      },
    }),
  );
  const path = { cluster_id };
  let task = must(await shoal.POST("/v1/clusters/{cluster_id}/execute", { params: { path } }));
  while (["PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING"].includes(task.status)) {
    await setTimeout(100);
    task = must(await shoal.GET("/v1/tasks/{task_id}", { params: { path: { task_id: task.task_id } } }));
  }
  const { groups, run_id } = must(await shoal.GET("/v1/clusters/{cluster_id}/groups", { params: { path } }));
  console.log("9 groups:", ...groups.map((group) => group.member_count).sort());
  return { cluster_id, run_id: run_id ?? "" };
}

// Steps 10 and 11: members, and the run as a file.
async function results(path: { cluster_id: string; run_id: string }): Promise<void> {
  const artifacts = must(
    await shoal.GET("/v1/clusters/{cluster_id}/executions/{run_id}/artifacts", {
      params: { path, query: { include_members: true } },
    }),
  );
  console.log("10 members:", artifacts.members.length);
  const link = must(await shoal.GET("/v1/clusters/{cluster_id}/executions/{run_id}/export", { params: { path } }));
  if (typeof link === "string") throw new Error("a CSV was not asked for");
  const answer = await fetch(new URL(link.url, url));
  const hash = createHash("sha256").update(new Uint8Array(await answer.arrayBuffer()));
  console.log("11 parquet:", hash.digest("hex") === link.sha256 ? "hash is right" : "hash is wrong");
}

// Step 12: a request that breaks a rule of the contract.
async function error(): Promise<void> {
  const { error } = await shoal.POST("/api/v1/projects", { body: {} as { name: string } });
  if (!error || !Array.isArray(error.detail)) throw new Error(`not refused as documented: ${JSON.stringify(error)}`);
  for (const { type, loc, msg } of error.detail) console.log(`12 error: ${type} ${loc.join(".")}: ${msg}`);
}

await retrieve(await fileToIndex());
await results(await vectorsToGroups());
await error();

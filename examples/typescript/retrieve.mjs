// Asks every project of a Shoal for passages by keyword: node retrieve.mjs [URL] [QUERY]
import { connect } from "shoal-client";

const [url = "http://127.0.0.1:8000", query = "parse a date"] = process.argv.slice(2);
const shoal = connect(url);

const { projects } = await shoal.ragProject.listProjects({});
for (const { projectId, name } of projects) {
  try {
    const { items } = await shoal.ragRetrieval.retrieve({ projectId, query, strategy: { type: "bm25", k: 3 } });
    for (const { score, pageContent } of items) console.log(`${name}: ${score.toFixed(2)} ${pageContent.slice(0, 90)}`);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}

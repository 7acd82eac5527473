// Reads a project back through Langfuse's JavaScript client; prints all of it as one JSON line.
// Arguments: "v4", or "legacy" and the names of a dataset and a run.

import { LangfuseClient } from "@langfuse/client";

const { api } = new LangfuseClient();

async function cursorPages(read, query) {
  const found = [];
  let cursor;
  do {
    const page = await read({ limit: 100, ...query, ...(cursor ? { cursor } : {}) });
    found.push(...page.data);
    cursor = page.meta.cursor;
  } while (cursor);
  return found;
}

async function numberedPages(read, query) {
  const found = [];
  for (let page = 1, pages = 1; page <= pages; page += 1) {
    const answer = await read({ limit: 100, page, ...query });
    found.push(...answer.data);
    pages = answer.meta.totalPages;
  }
  return found;
}

async function readV4() {
  const fromStartTime = new Date(Date.now() - 86_400_000).toISOString();
  const itemFields = "core,dataset,io,metadata,itemMetadata,experimentMetadata,scores";
  const observationFields = "core,basic,time,io,metadata,model,usage,metrics,trace_context";
  return {
    experiments: await cursorPages((query) => api.experiments.list(query), {
      fromStartTime,
      fields: "core,metadata,scores",
    }),
    items: await cursorPages((query) => api.experiments.listItems(query), {
      fromStartTime,
      fields: itemFields,
    }),
    observations: await cursorPages((query) => api.observations.getMany(query), {
      fields: observationFields,
    }),
    scores: await cursorPages((query) => api.scoresV3.getManyV3(query), {
      fields: "core,details,subject,annotation",
    }),
  };
}

async function readLegacy(datasetName, runName) {
  const run = await api.datasets.getRun(datasetName, runName);
  const traces = await Promise.all(run.datasetRunItems.map((item) => api.trace.get(item.traceId)));
  return {
    run: [run],
    run_items: await numberedPages((query) => api.datasetRunItems.list(query), {
      datasetId: run.datasetId,
      runName,
    }),
    traces,
    trace_list: await numberedPages((query) => api.trace.list(query), {}),
    scores: await numberedPages((query) => api.scores.getMany(query), {}),
  };
}

const [kind, ...names] = process.argv.slice(2);
console.log(JSON.stringify(kind === "v4" ? await readV4() : await readLegacy(...names)));

// The Langfuse JS SDK's `experiment.run`, used as its documentation shows. The harness copies this file beside the
// installed packages; the job's file is the last argument, the outcome is printed as in `job.py`.
import { readFileSync } from "node:fs";

import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { Agent, request } from "undici";

const job = JSON.parse(readFileSync(process.argv.at(-1), "utf8"));
const keys = { publicKey: "pk-lf-benchmark", secretKey: "sk-lf-benchmark", baseUrl: job.langfuse_url };
const sdk = new NodeSDK({ spanProcessors: [new LangfuseSpanProcessor(keys)] });
sdk.start();
const langfuse = new LangfuseClient(keys);
const dispatcher = new Agent({ connections: job.concurrency });

const task = async (item) => {
  const { body } = await request(job.task_url, {
    dispatcher,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: item.input }),
  });
  return (await body.json()).output;
};

const exactMatch = async ({ output, expectedOutput }) => ({
  name: "exact_match",
  value: output === expectedOutput ? 1 : 0,
});
const outputLength = async ({ output }) => ({ name: "length", value: output.length });
const meanExactMatch = async ({ itemResults }) => {
  const values = itemResults.flatMap((result) =>
    result.evaluations.filter((evaluation) => evaluation.name === "exact_match").map((evaluation) => evaluation.value),
  );
  return { name: "mean_exact_match", value: values.reduce((sum, value) => sum + value, 0) / values.length };
};

const work = {
  name: "benchmark",
  task,
  evaluators: [exactMatch, outputLength],
  runEvaluators: [meanExactMatch],
  maxConcurrency: job.concurrency,
};

const items = job.dataset
  ? []
  : readFileSync(job.items_file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
      .map((item) => ({ input: item.input, expectedOutput: item.expected_output }));

const cpuBefore = process.cpuUsage();
const started = process.hrtime.bigint();
const result = job.dataset
  ? await (await langfuse.dataset.get(job.dataset)).runExperiment(work)
  : await langfuse.experiment.run({ ...work, data: items });
const ended = process.hrtime.bigint();
const cpu = process.cpuUsage(cpuBefore);

// Spans and the last scores are still queued when the call returns; without this they would be lost.
await langfuse.flush();
await sdk.shutdown();
await dispatcher.close();

console.log(
  JSON.stringify({
    started_ns: Number(started),
    first_result_ns: Number(ended),
    ended_ns: Number(ended),
    cpu_seconds: (cpu.user + cpu.system) / 1e6,
    results: result.itemResults.length,
    mean: result.runEvaluations[0].value,
    peak_mib: process.resourceUsage().maxRSS / 1024,
    notes: [],
  }),
);

// Runs one experiment with Langfuse's JavaScript SDK; prints its result as one JSON line.
// The first argument says where the items come from: "local", or "hosted" and the name of a dataset.

import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { NodeSDK } from "@opentelemetry/sdk-node";

const items = [
  {
    input: "What is the capital of France?",
    expectedOutput: "Paris",
    metadata: { continent: "Europe", size: 2 },
  },
  { input: { question: "What is the capital of Japan?" }, expectedOutput: { answer: "Tokyo" } },
  { input: "What is the capital of Atlantis?", expectedOutput: "Poseidonis", metadata: { myth: true } },
];

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

const task = async (item) => {
  const question = JSON.stringify(item.input);
  if (question.includes("Atlantis")) throw new Error("no such country");
  return question.includes("France") ? "Paris" : { answer: "Kyoto" };
};

const accuracy = async ({ output, expectedOutput }) => ({
  name: "accuracy",
  value: same(output, expectedOutput) ? 1 : 0,
  comment: same(output, expectedOutput) ? "as expected" : "not as expected",
});
const verdict = async ({ output, expectedOutput }) => ({
  name: "verdict",
  value: same(output, expectedOutput) ? "right" : "wrong",
  dataType: "CATEGORICAL",
  metadata: { judge: "plain" },
});
const concise = async ({ output }) => ({
  name: "concise",
  value: JSON.stringify(output).length < 10 ? 1 : 0,
  dataType: "BOOLEAN",
});
const broken = async () => {
  throw new Error("judge is out");
};
const average = async ({ itemResults }) => {
  const values = itemResults.flatMap((item) =>
    item.evaluations.filter((one) => one.name === "accuracy").map((one) => one.value),
  );
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { name: "avg_accuracy", value: mean, comment: "mean of accuracy" };
};

const sdk = new NodeSDK({ spanProcessors: [new LangfuseSpanProcessor()], instrumentations: [] });
sdk.start();
const langfuse = new LangfuseClient();
const options = {
  name: "Capitals",
  runName: "capitals run",
  description: "Questions about capitals",
  metadata: { model: "plain", nested: { depth: 1 } },
  task,
  evaluators: [accuracy, verdict, concise, broken],
  runEvaluators: [average],
};
const [source, dataset] = process.argv.slice(2);
const result =
  source === "local"
    ? await langfuse.experiment.run({ data: items, ...options })
    : await (await langfuse.dataset.get(dataset)).runExperiment(options);
await sdk.shutdown();
await langfuse.shutdown();
const byName = (evaluations) => Object.fromEntries(evaluations.map((one) => [one.name, one.value]));
console.log(
  JSON.stringify({
    experiment_id: result.experimentId ?? null,
    run_name: result.runName,
    url: result.datasetRunUrl ?? null,
    items: result.itemResults.map((one) => ({
      output: one.output,
      trace_id: one.traceId,
      evaluations: byName(one.evaluations),
    })),
    run_evaluations: byName(result.runEvaluations),
  }),
);

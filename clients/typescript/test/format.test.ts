import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import {
  Evaluation,
  ExperimentResult,
  Item,
  ItemResult,
  type Experiment,
  type Failure,
} from '@evalrpc/client';
import { fixed } from '../src/report/numbers.js';

const QUIZ: Experiment = {
  id: 'exp_1',
  name: 'Geography Quiz',
  runName: 'Geography Quiz - 2026-11-22T19:38:45.385763Z',
  state: 'SUCCEEDED',
  description: undefined,
  metadata: {},
  evaluators: ['accuracy', 'response_length', 'tone', 'overall'],
  progress: { total: undefined, completed: 0, failed: 0, retried: 0, inFlight: 0 },
  summaries: [],
  runEvaluations: [],
  langfuse: undefined,
  lastSequence: 0,
  createTime: undefined,
  startTime: undefined,
  endTime: undefined,
  error: undefined,
  waiting: undefined,
  gates: [],
  taskSpending: undefined,
  evaluationSpending: undefined,
  endpointLimits: [],
  origin: undefined,
  requestId: undefined,
  spec: {},
};

const failure = (reason: string, message: string): Failure => ({
  reason,
  message,
  metadata: {},
  retryable: false,
});

function itemResult(
  index: number,
  output: unknown,
  evaluations: Evaluation[] = [],
  error?: Failure,
  trial = 1,
) {
  const item = new Item({
    id: `item-${index}`,
    index,
    inputJson: `{"question": "What is the capital of country number ${index}, please?"}`,
    expectedOutputJson: '"Paris"',
  });
  const outputJson = error ? undefined : JSON.stringify(output);
  return new ItemResult({
    item,
    outputJson,
    evaluations,
    error,
    trial,
    traceId: index.toString(16).padStart(32, '0'),
  });
}

const failed = (index: number, reason: string, message: string) =>
  itemResult(index, null, [], failure(reason, message));
const evaluation = (
  name: string,
  value: number | boolean | string | null,
  rest: { comment?: string; unscored?: string; error?: Failure } = {},
) => new Evaluation({ name, value, ...rest });

const MIXED = [
  failed(3, 'TASK_TIMEOUT', 'no answer within 120 s'),
  itemResult(0, 'The capital of France is Paris.\nIt always was.', [
    evaluation('accuracy', true),
    evaluation('response_length', 46, { comment: 'short' }),
    evaluation('politeness', 0.25),
    evaluation('tone', 'friendly', { comment: 'says please\nand thank you' }),
  ]),
  itemResult(
    1,
    ['Berlin', null, 3],
    [
      evaluation('accuracy', false),
      evaluation('response_length', null, { error: failure('EVALUATOR_TIMEOUT', 'no answer within 60 s') }),
      evaluation('tone', 'rude'),
      evaluation('overall', 0.5),
    ],
  ),
  itemResult(2, null, [
    evaluation('accuracy', null, { unscored: 'the item has no expected_output' }),
    evaluation('response_length', 0),
    evaluation('tone', 'friendly'),
  ]),
  failed(4, 'TASK_HTTP_STATUS', 'the endpoint answered 500'),
  failed(5, 'TASK_TIMEOUT', 'no answer within 120 s'),
];

const LANGFUSE = { project: 'default', url: 'https://langfuse.example/project/p/experiments/e' };
const RESULTS: Record<string, ExperimentResult> = {
  mixed: new ExperimentResult(
    {
      ...QUIZ,
      description: 'Testing basic functionality',
      runEvaluations: [
        evaluation('avg_accuracy', 0.5, { comment: 'over 2 values' }),
        evaluation('all_right', false),
        evaluation('broken', null, { error: failure('EVALUATOR_FAILED', 'division by zero') }),
        evaluation('nothing', null, { unscored: 'no values' }),
      ],
      langfuse: LANGFUSE as Experiment['langfuse'],
    },
    MIXED,
  ),
  all_failed: new ExperimentResult(QUIZ, [
    failed(0, 'TASK_TIMEOUT', 'too slow'),
    failed(1, 'TASK_TIMEOUT', 'too slow'),
  ]),
  trials: new ExperimentResult(
    QUIZ,
    [2, 1, 3].map((trial) => itemResult(0, 'Paris', [evaluation('accuracy', trial === 2)], undefined, trial)),
  ),
  cancelled: new ExperimentResult({ ...QUIZ, state: 'CANCELLED' }, [itemResult(0, 'Paris')]),
  run_failed: new ExperimentResult(
    { ...QUIZ, state: 'FAILED', error: failure('NO_WORKER', 'no worker hosts answer') },
    [],
  ),
  gates: new ExperimentResult(
    {
      ...QUIZ,
      gates: [
        { name: 'accuracy mean >= 0.8', passed: false, message: '0.5 is below 0.8', value: 0.5 },
        { name: 'fast', passed: true, message: '', value: undefined },
      ],
    },
    [itemResult(0, 'Paris', [evaluation('accuracy', 0.5)])],
  ),
};

/** How the Python client spells what this one spells as JSON. */
const SPELLINGS: [python: RegExp, json: string][] = [
  [/Set include_item_results=True to/, 'Set includeItemResults: true to'],
  [/\{'question': 'What/g, '{"question": "What'],
  [/\['Berlin', None, 3\]/g, '["Berlin",null,3]'],
  [/(Actual: {3})None$/gm, '$1null'],
  [/: True$/gm, ': true'],
  [/: False$/gm, ': false'],
];

describe('format()', () => {
  test.for(
    Object.entries(RESULTS).flatMap(([name, result]) => [
      { name, result, includeItemResults: false },
      { name, result, includeItemResults: true },
    ]),
  )('has the layout of the Python client: $name, items $includeItemResults', async (each) => {
    const file = `${each.name}${each.includeItemResults ? '_items' : ''}.txt`;
    const url = new URL(`../../../tests/clients/python/golden/${file}`, import.meta.url);
    const golden = SPELLINGS.reduce(
      (text, [python, json]) => text.replace(python, json),
      await readFile(url, 'utf8'),
    );
    expect(`${each.result.format({ includeItemResults: each.includeItemResults })}\n`).toBe(golden);
  });

  test('shows documents as they are written, and cuts between characters', () => {
    const item = new Item({ id: 'a', index: 0, inputJson: '12345678901234567890' });
    const result = new ItemResult({ item, outputJson: JSON.stringify('😀'.repeat(51)) });
    const text = new ExperimentResult(QUIZ, [result]).format({ includeItemResults: true });
    expect(text).toContain('   Input:    12345678901234567890\n');
    expect(text).toContain(`   Actual:   ${'😀'.repeat(50)}...\n`);
    expect(text).not.toContain('Expected:');
  });

  test('rounds exact halves to the even digit', () => {
    const cases = [
      [0.0625, 3, '0.062'],
      [0.1875, 3, '0.188'],
      [-0.0625, 3, '-0.062'],
      [12.25, 1, '12.2'],
      [12.75, 1, '12.8'],
      [0.0005, 3, '0.001'],
      [2 / 3, 3, '0.667'],
      [46, 3, '46.000'],
      [2.5, 0, '2'],
      [1e15 + 0.5, 0, '1000000000000000'],
    ] as const;
    for (const [value, decimals, text] of cases) {
      expect(fixed(value, decimals)).toBe(text);
    }
  });
});

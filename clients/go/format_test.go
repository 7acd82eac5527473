package evalrpc_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
)

// golden holds what Python's format() shows for the same results.
const golden = "../../tests/clients/python/golden"

func quiz(change func(*evalrpc.Experiment), results ...*evalrpc.ItemResult) *evalrpc.ExperimentResult {
	experiment := &evalrpc.Experiment{
		ID:         "exp_1",
		Name:       "Geography Quiz",
		RunName:    "Geography Quiz - 2026-11-22T19:38:45.385763Z",
		State:      evalrpc.StateSucceeded,
		Evaluators: []string{"accuracy", "response_length", "tone", "overall"},
	}
	if change != nil {
		change(experiment)
	}
	return &evalrpc.ExperimentResult{Experiment: experiment, ItemResults: results}
}

func answered(index int, output string, evaluations ...evalrpc.Evaluation) *evalrpc.ItemResult {
	return &evalrpc.ItemResult{
		Item: evalrpc.ExperimentItem{
			ID:             fmt.Sprintf("item-%d", index),
			Index:          index,
			Input:          evalrpc.JSON(fmt.Sprintf(`{"question": "What is the capital of country number %d, please?"}`, index)),
			ExpectedOutput: `"Paris"`,
		},
		Trial:       1,
		Output:      evalrpc.JSON(output),
		Evaluations: evaluations,
		TraceID:     fmt.Sprintf("%032x", index),
	}
}

func failed(index int, reason, message string) *evalrpc.ItemResult {
	result := answered(index, "")
	result.Failure = &evalrpc.Failure{Reason: reason, Message: message}
	return result
}

func trial(number int, right bool) *evalrpc.ItemResult {
	result := answered(0, `"Paris"`, evalrpc.Evaluation{Name: "accuracy", Value: evalrpc.Boolean(right)})
	result.Trial = number
	return result
}

func reports() map[string]*evalrpc.ExperimentResult {
	half := 0.5
	return map[string]*evalrpc.ExperimentResult{
		"mixed": quiz(
			func(e *evalrpc.Experiment) {
				e.Description = "Testing basic functionality"
				e.Langfuse = &evalrpc.LangfuseStatus{URL: "https://langfuse.example/project/p/experiments/e"}
				e.RunEvaluations = []evalrpc.Evaluation{
					{Name: "avg_accuracy", Value: evalrpc.Number(0.5), Comment: "over 2 values"},
					{Name: "all_right", Value: evalrpc.Boolean(false)},
					{Name: "broken", Value: &evalrpc.Failure{Reason: "EVALUATOR_FAILED", Message: "division by zero"}},
					{Name: "nothing", Value: evalrpc.Unscored("no values")},
				}
			},
			answered(0, `"The capital of France is Paris.\nIt always was."`,
				evalrpc.Evaluation{Name: "accuracy", Value: evalrpc.Boolean(true), Evaluator: "builtin/contains@1"},
				evalrpc.Evaluation{Name: "response_length", Value: evalrpc.Number(46), Comment: "short"},
				evalrpc.Evaluation{Name: "politeness", Value: evalrpc.Number(0.25)},
				evalrpc.Evaluation{Name: "tone", Value: evalrpc.Label("friendly"), Comment: "says please\nand thank you"}),
			answered(1, `["Berlin", null, 3]`,
				evalrpc.Evaluation{Name: "accuracy", Value: evalrpc.Boolean(false)},
				evalrpc.Evaluation{Name: "response_length",
					Value: &evalrpc.Failure{Reason: "EVALUATOR_TIMEOUT", Message: "no answer within 60 s"}},
				evalrpc.Evaluation{Name: "tone", Value: evalrpc.Label("rude")},
				evalrpc.Evaluation{Name: "overall", Value: evalrpc.Number(0.5)}),
			answered(2, `null`,
				evalrpc.Evaluation{Name: "accuracy", Value: evalrpc.Unscored("the item has no expected_output")},
				evalrpc.Evaluation{Name: "response_length", Value: evalrpc.Number(0)},
				evalrpc.Evaluation{Name: "tone", Value: evalrpc.Label("friendly")}),
			failed(3, "TASK_TIMEOUT", "no answer within 120 s"),
			failed(4, "TASK_HTTP_STATUS", "the endpoint answered 500"),
			failed(5, "TASK_TIMEOUT", "no answer within 120 s"),
		),
		"all_failed": quiz(nil, failed(0, "TASK_TIMEOUT", "too slow"), failed(1, "TASK_TIMEOUT", "too slow")),
		"trials":     quiz(nil, trial(1, false), trial(2, true), trial(3, false)),
		"cancelled": quiz(func(e *evalrpc.Experiment) { e.State = evalrpc.StateCancelled },
			answered(0, `"Paris"`)),
		"run_failed": quiz(func(e *evalrpc.Experiment) {
			e.State = evalrpc.StateFailed
			e.Failure = &evalrpc.Failure{Reason: "NO_WORKER", Message: "no worker hosts answer"}
		}),
		"gates": quiz(
			func(e *evalrpc.Experiment) {
				e.Gates = []evalrpc.GateResult{
					{Name: "accuracy mean >= 0.8", Message: "0.5 is below 0.8", Value: &half},
					{Name: "fast", Passed: true},
				}
			},
			answered(0, `"Paris"`, evalrpc.Evaluation{Name: "accuracy", Value: evalrpc.Number(0.5)})),
	}
}

func TestFormatIsThatOfThePythonClient(t *testing.T) {
	for name, result := range reports() {
		for suffix, options := range map[string][]evalrpc.FormatOption{"": nil, "_items": {evalrpc.IncludeItemResults()}} {
			text, err := os.ReadFile(filepath.Join(golden, name+suffix+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(string(text), "Set include_item_results=True", "Pass IncludeItemResults()", 1)
			if got := result.Format(options...) + "\n"; got != want {
				t.Errorf("%s%s:\n%s\nwant:\n%s", name, suffix, got, want)
			}
		}
	}
}

func TestFormatShowsDocumentsAsPythonDoes(t *testing.T) {
	for document, want := range map[evalrpc.JSON]string{
		`{"a": [1, 2.50, 1e3, 1e16, 0.00001, true, null], "b": {}}`: `{'a': [1, 2.5, 1000.0, 1e+16, 1e-05, True, None], ...`,
		`{"a": {"b": []}, "c": 12345678901234567890}`:               `{'a': {'b': []}, 'c': 12345678901234567890}`,
		`["it's", "\"", "'\"", "ä\u0000\n"]`:                        `["it's", '"', '\'"', 'ä\x00\n']`,
		`"it's"`:                                                    "it's",
		`"Zürich\n東京 🗼"`:                                            "Zürich 東京 🗼",
		`-0.0`:                                                      "-0.0",
		`9007199254740993`:                                          "9007199254740993",
	} {
		text := quiz(nil, answered(0, string(document))).Format(evalrpc.IncludeItemResults())
		if !strings.Contains(text, "   Actual:   "+want+"\n") {
			t.Errorf("%s is not shown as %s:\n%s", document, want, text)
		}
	}
}

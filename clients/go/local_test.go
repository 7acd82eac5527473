package evalrpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
)

type question struct {
	Text string `json:"text"`
}

func capital(_ context.Context, asked question) (string, error) {
	switch asked.Text {
	case "France":
		return "Paris", nil
	case "Germany":
		return "Berlin", nil
	}
	return "", fmt.Errorf("no country is called %q", asked.Text)
}

func right(_ context.Context, input evalrpc.EvaluatorInput) (bool, error) {
	return input.Output == input.ExpectedOutput, nil
}

func TestFunctionsOfThisProcessAreRun(t *testing.T) {
	result := finish(t, connect(t), evalrpc.RunOptions{
		Name: "local",
		Data: evalrpc.Items{
			{Input: question{"France"}, ExpectedOutput: "Paris"},
			{Input: question{"Germany"}, ExpectedOutput: "Bonn"},
			{Input: question{"Atlantis"}},
		},
		Task: evalrpc.TypedTask(capital),
		Evaluators: []evalrpc.Evaluator{
			evalrpc.EvaluatorFunc("right", right),
			evalrpc.EvaluatorFunc("several", func(context.Context, evalrpc.EvaluatorInput) ([]evalrpc.Evaluation, error) {
				return []evalrpc.Evaluation{
					{Name: "tone", Value: evalrpc.Label("dry"), Comment: "no please", Metadata: `{"words":1}`},
					{Value: evalrpc.Unscored("nothing to say")},
				}, nil
			}),
			evalrpc.EvaluatorFunc("broken", func(context.Context, evalrpc.EvaluatorInput) (float64, error) {
				return 0, errors.New("no model is loaded")
			}),
			evalrpc.Builtin("length", nil),
		},
		CompositeEvaluator: evalrpc.EvaluatorFunc("overall",
			func(_ context.Context, input evalrpc.EvaluatorInput) (float64, error) {
				return float64(len(input.Evaluations)), nil
			}),
		RunEvaluators: []evalrpc.Evaluator{
			evalrpc.RunEvaluatorFunc("failed", func(_ context.Context, input evalrpc.RunEvaluatorInput) (int, error) {
				failed := 0
				for result, err := range input.Results() {
					if err != nil {
						return 0, err
					}
					if result.Failure != nil {
						failed++
					}
				}
				return failed, nil
			}),
		},
	})
	equal(t, "state", result.State(), evalrpc.StateSucceeded)
	equal(t, "output", result.ItemResults[0].Output, evalrpc.JSON(`"Paris"`))
	for i, want := range []evalrpc.Boolean{true, false} {
		found, _ := result.ItemResults[i].Evaluation("right")
		equal(t, "right", found.Value, evalrpc.Value(want))
	}
	tone, _ := result.ItemResults[0].Evaluation("tone")
	equal(t, "tone", tone.Value, evalrpc.Value(evalrpc.Label("dry")))
	equal(t, "comment", tone.Comment, "no please")
	equal(t, "metadata", tone.Metadata, evalrpc.JSON(`{"words":1}`))
	nothing, _ := result.ItemResults[0].Evaluation("several")
	equal(t, "unscored", nothing.Value, evalrpc.Value(evalrpc.Unscored("nothing to say")))
	broken, _ := result.ItemResults[0].Evaluation("broken")
	if broken.Failure() == nil || broken.Failure().Reason != "EVALUATOR_FAILED" ||
		!strings.Contains(broken.Failure().Message, "no model is loaded") {
		t.Errorf("broken: %+v", broken)
	}
	overall, _ := result.ItemResults[0].Evaluation("overall")
	equal(t, "overall", overall.Value, evalrpc.Value(evalrpc.Number(5)))
	failed := result.ItemResults[2].Failure
	if failed == nil || failed.Reason != "TASK_FAILED" || !strings.Contains(failed.Message, "Atlantis") {
		t.Errorf("failure: %+v", failed)
	}
	count, _ := result.RunEvaluation("failed")
	equal(t, "failed", count.Value, evalrpc.Value(evalrpc.Number(1)))
}

func TestATaskSeesItsItemAndGivesAWholeOutput(t *testing.T) {
	tokens, cost := 12, 0.25
	result := finish(t, connect(t), evalrpc.RunOptions{
		Name: "whole", RunName: "whole run",
		Data: evalrpc.Items{{ID: "one", Input: evalrpc.JSON(`{"n": 9007199254740993}`), ExpectedOutput: "東京",
			Metadata: map[string]any{"k": "v"}}},
		Task: evalrpc.TaskFunc(func(ctx context.Context, item evalrpc.TaskItem) (any, error) {
			if evalrpc.TraceContext(ctx)["traceparent"] == "" {
				return nil, errors.New("there is no trace context")
			}
			seen := fmt.Sprintf("%s %s %s %s %d %d %s", item.ID, item.Input, item.ExpectedOutput, item.Metadata,
				item.Trial, item.Attempt, item.Experiment.RunName)
			return evalrpc.TaskOutput{
				Output:   seen,
				Contexts: []evalrpc.Context{{Text: "a passage", ID: "doc-1", Score: &cost}},
				Usage:    &evalrpc.Usage{InputTokens: &tokens, CostUSD: &cost, Model: "small"},
				Metadata: map[string]any{"cached": true},
			}, nil
		}),
	})
	each := result.ItemResults[0]
	equal(t, "output", each.Output.String(), `one {"n": 9007199254740993} 東京 {"k":"v"} 1 1 whole run`)
	equal(t, "context", each.Contexts[0].ID, "doc-1")
	equal(t, "tokens", *each.Usage.InputTokens, 12)
	equal(t, "output metadata", each.OutputMetadata, evalrpc.JSON(`{"cached":true}`))
}

func TestWhatFunctionsDoWrongIsAnErrorOfTheItem(t *testing.T) {
	var calls atomic.Int32
	result := finish(t, connect(t), evalrpc.RunOptions{
		Name: "wrong",
		Data: evalrpc.Items{{Input: "panic"}, {Input: "channel"}, {Input: "large"}, {Input: "huge"}, {Input: "passing"}, {Input: nil}},
		Task: evalrpc.TaskFunc(func(_ context.Context, item evalrpc.TaskItem) (any, error) {
			switch item.Input.String() {
			case "panic":
				panic("at the disco")
			case "channel":
				return make(chan int), nil
			case "large":
				return strings.Repeat("x", 1<<20), nil // with its quotes 2 bytes above the limit
			case "huge":
				return strings.Repeat("x", 5<<20), nil
			case "passing":
				if calls.Add(1) == 1 {
					return nil, evalrpc.Retryable(errors.New("try again"))
				}
				return strings.Repeat("y", 1<<20-2), nil
			}
			return nil, nil
		}),
		Retry: evalrpc.RetryPolicy{InitialBackoff: 1},
	})
	for i, want := range []string{"TASK_FAILED", "TASK_FAILED", "PAYLOAD_TOO_LARGE", "PAYLOAD_TOO_LARGE"} {
		if failure := result.ItemResults[i].Failure; failure == nil || failure.Reason != want {
			t.Errorf("%s: %v", result.ItemResults[i].Item.Input, failure)
		}
	}
	passing := result.ItemResults[4]
	equal(t, "attempts", passing.Attempts, 2)
	equal(t, "size", len(passing.Output), 1<<20)
	equal(t, "null", result.ItemResults[5].Output, evalrpc.JSON("null"))
}

func TestACancelledRunEndsItsFunctions(t *testing.T) {
	client := connect(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	run := start(t, client, evalrpc.RunOptions{
		Name: "cancelled", Data: evalrpc.Items{{Input: 1}},
		Task: evalrpc.TaskFunc(func(ctx context.Context, _ evalrpc.TaskItem) (any, error) {
			close(begun)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil, ctx.Err()
		}),
	})
	<-begun
	if _, err := client.Cancel(within(t), run.ExperimentID()); err != nil {
		t.Fatal(err)
	}
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "state", result.State(), evalrpc.StateCancelled)
	equal(t, "reason", result.ItemResults[0].Failure.Reason, "CANCELLED")
	if cause := <-ended; !strings.Contains(cause.Error(), "cancel") && !strings.Contains(cause.Error(), "wound up") {
		t.Error(cause)
	}
}

func TestARunEvaluatorReadsManyResults(t *testing.T) {
	items := make(evalrpc.Items, 1000)
	for i := range items {
		items[i].Input = i
	}
	result := finish(t, connect(t), evalrpc.RunOptions{
		Name: "many", Data: items,
		Task: evalrpc.TaskFunc(func(_ context.Context, item evalrpc.TaskItem) (any, error) { return item.Input, nil }),
		RunEvaluators: []evalrpc.Evaluator{evalrpc.RunEvaluatorFunc("ordered",
			func(_ context.Context, input evalrpc.RunEvaluatorInput) (bool, error) {
				index := 0
				for result, err := range input.Results() {
					if err != nil || result.Item.Index != index {
						return false, err
					}
					index++
				}
				return index == len(items), nil
			})},
	})
	ordered, _ := result.RunEvaluation("ordered")
	equal(t, "ordered", ordered.Value, evalrpc.Value(evalrpc.Boolean(true)))
}

package evalrpctest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpctest"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
	"github.com/evalrpc/evalrpc/clients/go/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// recorder is a test that only notes how it fails.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, arguments ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, arguments...))
}

// quiz asks for four capitals; so many of the answers are right.
func quiz(t *testing.T, rightAnswers int, gates ...*evalrpcv1.Gate) *evalrpc.ExperimentResult {
	t.Helper()
	client, err := evalrpc.NewClient(testserver.Shared.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	return evalrpctest.Run(t, client, evalrpc.RunOptions{
		Name:  "Geography Quiz",
		Gates: gates,
		Data: evalrpc.Items{
			{ID: "fr", Input: 0, ExpectedOutput: "right"}, {ID: "de", Input: 1, ExpectedOutput: "right"},
			{ID: "it", Input: 2, ExpectedOutput: "right"}, {ID: "es", Input: 3, ExpectedOutput: "right"},
		},
		Task: evalrpc.TypedTask(func(_ context.Context, number int) (string, error) {
			switch {
			case number < rightAnswers:
				return "right", nil
			case number == 3:
				return "", errors.New("no answer")
			}
			return "wrong", nil
		}),
		Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("accuracy")},
		RunEvaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("mean", evalrpc.Params{"evaluation": "accuracy"}).Named("avg_accuracy"),
		},
	})
}

func TestAccuracyPassesAboveTheThreshold(t *testing.T) {
	result := quiz(t, 4)
	evalrpctest.AssertAtLeast(t, result, "accuracy", 0.8)
	evalrpctest.AssertAtLeast(t, result, "avg_accuracy", 0.8)
	evalrpctest.AssertAtMost(t, result, "accuracy", 1)
	evalrpctest.AssertNoFailures(t, result)
}

func TestAccuracyFailsBelowTheThreshold(t *testing.T) {
	result := quiz(t, 1)
	for _, name := range []string{"accuracy", "avg_accuracy"} {
		noted := &recorder{TB: t}
		evalrpctest.AssertAtLeast(noted, result, name, 0.8)
		if len(noted.errors) != 1 {
			t.Fatalf("%s: %q", name, noted.errors)
		}
		for _, line := range []string{
			name + " is 0.333 and must be at least 0.8",
			`  item 2 (de), input 1, expected "right", output "wrong": accuracy is 0`,
			`  item 4 (es), input 3, expected "right": TASK_FAILED: no answer`,
		} {
			if !strings.Contains(noted.errors[0], line) {
				t.Errorf("%q is not in %s", line, noted.errors[0])
			}
		}
		if strings.Contains(noted.errors[0], "(fr)") {
			t.Error("the right answer is blamed")
		}
	}
}

func TestFailuresAndMissingValuesFail(t *testing.T) {
	result := quiz(t, 3)
	noted := &recorder{TB: t}
	evalrpctest.AssertNoFailures(noted, result)
	evalrpctest.AssertAtMost(noted, result, "accuracy", 0.5)
	evalrpctest.AssertAtMost(noted, result, "tone", 1)
	if len(noted.errors) != 3 || !strings.Contains(noted.errors[0], "item 4 (es)") ||
		!strings.Contains(noted.errors[2], "no value of tone") {
		t.Errorf("%q", noted.errors)
	}
}

func TestGatesPassAboveTheirBoundAndFailBelow(t *testing.T) {
	gate := func(bound float64) *evalrpcv1.Gate {
		threshold := &evalrpcv1.ThresholdGate{Value: bound}
		return &evalrpcv1.Gate{Evaluation: "accuracy", Rule: &evalrpcv1.Gate_Threshold{Threshold: threshold}}
	}
	evalrpctest.AssertGates(t, quiz(t, 4, gate(0.8)))

	below := &recorder{TB: t}
	evalrpctest.AssertGates(below, quiz(t, 2, gate(0.8)))
	if len(below.errors) != 1 || !strings.Contains(below.errors[0], "gate accuracy mean >= 0.8: the mean of accuracy is 0.666667") {
		t.Errorf("errors: %v", below.errors)
	}
	none := &recorder{TB: t}
	evalrpctest.AssertGates(none, quiz(t, 4))
	if len(none.errors) != 1 {
		t.Errorf("errors: %v", none.errors)
	}
}

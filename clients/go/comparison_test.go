package evalrpc_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

func TestRunsAreComparedAndHeldToABaseline(t *testing.T) {
	app, client := application(t), connect(t)
	run := func(right int, gates ...*evalrpcv1.Gate) *evalrpc.ExperimentResult {
		var items evalrpc.Items
		for number := range 40 {
			expected := fmt.Sprint(number)
			if number >= right {
				expected = "?"
			}
			items = append(items, evalrpc.Item{ID: fmt.Sprintf("i%d", number), Input: fmt.Sprint(number), ExpectedOutput: expected})
		}
		return finish(t, client, evalrpc.RunOptions{
			Name: "Quiz", Data: items, Task: evalrpc.HTTPTask{URL: app.Task()}, Gates: gates,
			Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("accuracy")},
		})
	}
	first := run(36)
	baseline := &evalrpcv1.BaselineGate{Experiment: &evalrpcv1.ExperimentRef{
		Source: &evalrpcv1.ExperimentRef_Id{Id: first.Experiment.ID},
	}}
	second := run(12, &evalrpcv1.Gate{Evaluation: "accuracy", Rule: &evalrpcv1.Gate_Baseline{Baseline: baseline}})
	if gates := second.Experiment.Gates; len(gates) != 1 || gates[0].Passed || gates[0].Verdict != evalrpc.VerdictRegressed {
		t.Errorf("gates: %+v", gates)
	}

	most := 1
	compared, err := client.Compare(
		t.Context(), evalrpc.RunRef{ID: first.Experiment.ID}, []evalrpc.RunRef{{ID: second.Experiment.ID}},
		evalrpc.CompareOptions{Margins: map[string]float64{"accuracy": 0.02}, MaxFlips: &most},
	)
	if err != nil || len(compared) != 1 || !compared[0].Regressed() {
		t.Fatalf("compared: %v, %v", compared, err)
	}
	accuracy := compared[0].Evaluations[0]
	equal(t, "verdict", accuracy.Verdict, evalrpc.VerdictRegressed)
	equal(t, "test", accuracy.Test, "MCNEMAR_EXACT")
	equal(t, "lost", accuracy.Lost, 24)
	equal(t, "margin", accuracy.Margin, 0.02)
	if math.Abs(accuracy.Difference+0.6) > 1e-9 || accuracy.Interval.High > -0.4 {
		t.Errorf("difference: %v, %v", accuracy.Difference, accuracy.Interval)
	}
	if len(accuracy.Flips) != 1 || accuracy.Flips[0].Item.ID != "i12" || accuracy.Flips[0].CandidateOutput.String() != "12" {
		t.Errorf("flips: %+v", accuracy.Flips)
	}

	_, err = client.Compare(
		t.Context(), evalrpc.RunRef{ID: first.Experiment.ID},
		[]evalrpc.RunRef{{Dataset: "capitals", RunName: "nightly"}}, evalrpc.CompareOptions{},
	)
	var failed *evalrpc.Error
	if !errors.As(err, &failed) || failed.Reason != "LANGFUSE_NOT_CONFIGURED" {
		t.Errorf("error: %v", err)
	}
}

func TestAnExperimentIsPlanned(t *testing.T) {
	plans, err := connect(t).Plan(t.Context(), evalrpc.PlanOptions{
		Difference: 0.03, Trials: []int{1, 5},
		Variances: &evalrpc.Variances{BetweenItems: 1.0 / 9, BaselineWithinItem: 1.0 / 6, CandidateWithinItem: 1.0 / 6},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "one trial", plans.Plans[0], evalrpc.ExperimentPlan{Trials: 1, Items: 3876, TaskCalls: 3876})
	equal(t, "five trials", plans.Plans[1], evalrpc.ExperimentPlan{Trials: 5, Items: 1551, TaskCalls: 7755})
}

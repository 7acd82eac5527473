package evalrpc_test

import (
	"errors"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
)

func TestEvaluatorsAreKeptInVersions(t *testing.T) {
	client, app := connect(t), application(t)
	loose := evalrpc.Builtin("contains", evalrpc.Params{"ignore_case": true}).Named("go-accuracy")
	first, err := client.RegisterEvaluator(within(t), loose, "of capitals")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first", first.String(), "go-accuracy@1")
	same, err := client.RegisterEvaluator(within(t), loose, "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "same content", same.String(), "go-accuracy@1")
	second, err := client.RegisterEvaluator(within(t), evalrpc.Builtin("exact_match", nil).Named("go-accuracy"), "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "other content", second.String(), "go-accuracy@2")

	latest, err := client.GetEvaluator(within(t), "go-accuracy")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "latest", latest.Version, 2)
	equal(t, "versions", len(all(t, client.ListEvaluators(within(t), "go-accuracy"))), 2)

	result := finish(t, client, evalrpc.RunOptions{
		Name: "registered", Data: evalrpc.Items{{Input: "PARIS", ExpectedOutput: "paris"}},
		Task:       evalrpc.HTTPTask{URL: app.Task()},
		Evaluators: []evalrpc.Evaluator{evalrpc.Registered("go-accuracy@1")},
	})
	accuracy, _ := result.ItemResults[0].Evaluation("go-accuracy")
	equal(t, "value", accuracy.Value, evalrpc.Value(evalrpc.Boolean(true)))
	equal(t, "evaluator", accuracy.Evaluator, "go-accuracy@1")

	if err := client.DeleteEvaluator(within(t), "go-accuracy"); err != nil {
		t.Fatal(err)
	}
	_, err = client.GetEvaluator(within(t), "go-accuracy")
	if !errors.Is(err, evalrpc.ErrNotFound) || evalrpc.Reason(err) != "EVALUATOR_NOT_FOUND" {
		t.Error(err)
	}
}

func TestBuiltinsAreListedByLevel(t *testing.T) {
	client := connect(t)
	for level, name := range map[evalrpc.EvaluatorLevel]string{
		evalrpc.ItemLevel: "contains", evalrpc.RunLevel: "mean", evalrpc.AnyLevel: "mean",
	} {
		builtins, err := client.ListBuiltinEvaluators(within(t), level)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, builtin := range builtins {
			if level != evalrpc.AnyLevel && builtin.Level != level {
				t.Errorf("%s is of level %s, not %s", builtin.Name, builtin.Level, level)
			}
			found = found || builtin.Name == name && builtin.ParamsSchema["type"] == "object"
		}
		if !found {
			t.Errorf("%s is not among the builtins of level %q", name, level)
		}
	}
	if _, err := client.ListBuiltinEvaluators(within(t), "run-ish"); !evalrpc.IsInvalidRequest(err) {
		t.Error(err)
	}
}

func TestDefinitionsAreListed(t *testing.T) {
	found := all(t, connect(t).ListDefinitions(within(t)))
	equal(t, "definitions", len(found), 1)
	equal(t, "name", found[0].Name, "nightly")
	equal(t, "bound", found[0].Experiment.GetMaxConcurrency(), 3)
	equal(t, "problem", found[0].Problem, "")
	if found[0].UpdateTime.IsZero() {
		t.Error("no time")
	}
}

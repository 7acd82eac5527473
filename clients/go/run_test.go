package evalrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
	"github.com/evalrpc/evalrpc/clients/go/internal/testserver"
)

func TestARunGivesResultsInTheOrderOfTheData(t *testing.T) {
	app := application(t)
	result := finish(t, connect(t), evalrpc.RunOptions{
		Name:        "Geography Quiz",
		Description: "of capitals",
		Metadata:    map[string]any{"model": "small"},
		Data: evalrpc.Items{
			{Input: "Paris", ExpectedOutput: "paris"},
			{ID: "bad", Input: testserver.Boom},
			{ID: "de", Input: "Bonn", ExpectedOutput: "Berlin", Metadata: map[string]any{"continent": "Europe"}},
		},
		Task: evalrpc.HTTPTask{URL: app.Task()},
		Evaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("contains", evalrpc.Params{"ignore_case": true}).Named("accuracy"),
			evalrpc.HTTPEvaluator("same", app.Evaluate(), nil),
		},
		RunEvaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("mean", evalrpc.Params{"evaluation": "accuracy"}).Named("avg_accuracy"),
		},
		MaxConcurrency: 2,
	})
	equal(t, "state", result.State(), evalrpc.StateSucceeded)
	equal(t, "name", result.Name(), "Geography Quiz")
	equal(t, "model", result.Experiment.Metadata["model"], any("small"))
	var ids []string
	for _, each := range result.ItemResults {
		ids = append(ids, each.Item.ID)
	}
	if len(ids) != 3 || !slices.Equal(ids[1:], []string{"bad", "de"}) {
		t.Fatalf("ids: %v", ids)
	}
	equal(t, "output", result.ItemResults[0].Output.String(), "Paris")
	equal(t, "metadata", result.ItemResults[2].Item.Metadata, evalrpc.JSON(`{"continent":"Europe"}`))
	accuracy, _ := result.ItemResults[0].Evaluation("accuracy")
	equal(t, "accuracy", accuracy.Value, evalrpc.Value(evalrpc.Boolean(true)))
	same, _ := result.ItemResults[0].Evaluation("same")
	equal(t, "same", same.Value, evalrpc.Value(evalrpc.Boolean(false)))
	if bad := result.FailedItems(); len(bad) != 1 || bad[0].Failure.Reason != "TASK_HTTP_STATUS" {
		t.Errorf("failed items: %v", bad)
	}
	average, _ := result.RunEvaluation("avg_accuracy")
	equal(t, "avg_accuracy", average.Value, evalrpc.Value(evalrpc.Number(0.5)))
	if text := result.Format(); !strings.Contains(text, "• accuracy: 50.0% (1 of 2 true)") {
		t.Error(text)
	}
}

func TestEventsComeOnceAndInOrder(t *testing.T) {
	app := application(t)
	run := start(t, connect(t), evalrpc.RunOptions{
		Name: "events",
		Data: evalrpc.Items{{Input: 1}, {Input: 2}, {Input: 3}},
		Task: evalrpc.HTTPTask{URL: app.Task()},
	})
	if run.ExperimentID() == "" {
		t.Error("the experiment has no id, although it is accepted")
	}
	var seen []int
	for event, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, event.Sequence)
		if len(seen) == 2 {
			break // going on later loses nothing
		}
	}
	for _, event := range all(t, run.Events()) {
		seen = append(seen, event.Sequence)
	}
	for i, sequence := range seen {
		equal(t, "sequence", sequence, i+1)
	}
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "results", len(result.ItemResults), 3)
	equal(t, "last sequence", run.LastSequence(), len(seen))
}

func TestDocumentsArriveAsTheyWere(t *testing.T) {
	app := application(t)
	large := `"` + strings.Repeat("x", 1<<20-2) + `"`
	documents := []evalrpc.JSON{
		`{"n": 9007199254740993, "price": 1.10,  "deep": [null, {"ä": "東京 🗼"}]}`, `null`, `123456789012345678901234567890`,
		`"<&>"`, evalrpc.JSON(large),
	}
	var items evalrpc.Items
	for _, document := range documents {
		items = append(items, evalrpc.Item{Input: document, ExpectedOutput: document})
	}
	result := finish(t, connect(t), evalrpc.RunOptions{Name: "exact", Data: items, Task: evalrpc.HTTPTask{URL: app.Task()}})
	for i, document := range documents {
		each := result.ItemResults[i]
		equal(t, "input", each.Item.Input, document)
		equal(t, "expected output", each.Item.ExpectedOutput, document)
		equal(t, "output", each.Output, document)
	}
	var number struct{ N int64 }
	if err := result.ItemResults[0].Output.Decode(&number); err != nil {
		t.Fatal(err)
	}
	equal(t, "n", number.N, int64(9007199254740993))
	equal(t, "null output", result.ItemResults[1].Output.Null(), true)
	equal(t, "value", fmt.Sprint(result.ItemResults[2].Output.Value()), "123456789012345678901234567890")
}

func TestAnyLengthOfDataIsUploaded(t *testing.T) {
	app := application(t)
	padding := strings.Repeat("x", 10_000)
	rows := func(yield func(evalrpc.Item, error) bool) {
		for n := range 500 { // 5 MB
			if !yield(evalrpc.Item{ID: fmt.Sprintf("row-%d", n), Input: map[string]any{"n": n, "padding": padding}}, nil) {
				return
			}
		}
	}
	client := connect(t)
	upload, err := client.Upload(within(t), rows, "numbers")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "items", upload.ItemCount, 500)
	for _, data := range []evalrpc.Data{upload, evalrpc.ItemSeq(rows)} {
		result := finish(t, client, evalrpc.RunOptions{
			Name: "few of many", Data: data, Task: evalrpc.HTTPTask{URL: app.Task()}, DryRunItems: 2,
		})
		equal(t, "results", len(result.ItemResults), 2)
		equal(t, "id", result.ItemResults[1].Item.ID, "row-1")
	}
}

func TestAnErrorOfTheDataEndsTheUpload(t *testing.T) {
	gone := errors.New("the database is gone")
	broken := func(yield func(evalrpc.Item, error) bool) {
		_ = yield(evalrpc.Item{Input: 1}, nil) && yield(evalrpc.Item{}, gone)
	}
	_, err := connect(t).Upload(within(t), broken, "")
	if !errors.Is(err, gone) {
		t.Error(err)
	}
	_, err = connect(t).Run(within(t), evalrpc.RunOptions{Name: "x", Data: evalrpc.ItemSeq(broken)})
	if !errors.Is(err, gone) {
		t.Error(err)
	}
	twice := func(yield func(evalrpc.Item, error) bool) {
		_ = yield(evalrpc.Item{ID: "a", Input: 1}, nil) && yield(evalrpc.Item{ID: "a", Input: 2}, nil)
	}
	_, err = connect(t).Upload(within(t), twice, "")
	if !evalrpc.IsInvalidRequest(err) || failure(t, err).Violations[0].Path != "items.items[1].id" {
		t.Error(err)
	}
}

func TestAnExperimentOutlivesItsStarter(t *testing.T) {
	app := application(t)
	client := connect(t)
	started, err := client.Start(within(t), evalrpc.RunOptions{
		Name: "detached-go",
		Data: evalrpc.Items{{Input: "now"}, {Input: testserver.Boom}},
		Task: evalrpc.HTTPTask{URL: app.Task()},
	})
	if err != nil {
		t.Fatal(err)
	}
	watched := client.Watch(within(t), started.ID, evalrpc.WatchOptions{AfterSequence: 1})
	defer watched.Close()
	equal(t, "first sequence", all(t, watched.Events())[0].Sequence, 2)
	result, err := watched.Result(within(t)) // the first event was skipped, so the results are read anew
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "results", len(result.ItemResults), 2)
	got, err := client.Get(within(t), started.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "state", got.State, evalrpc.StateSucceeded)
	failedOnly := all(t, client.ListResults(within(t), started.ID, evalrpc.ListResultsOptions{FailedOnly: true, ByCompletion: true}))
	equal(t, "failed", len(failedOnly), 1)
	listed := all(t, client.List(within(t), evalrpc.ListOptions{
		Name: "detached-go", States: []evalrpc.ExperimentState{evalrpc.StateSucceeded}, PageSize: 1,
	}))
	equal(t, "listed", len(listed), 1)
	again, err := client.Cancel(within(t), started.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "state after cancel", again.State, evalrpc.StateSucceeded)
}

func TestPagesAreFollowed(t *testing.T) {
	app := application(t)
	client := connect(t)
	items := make(evalrpc.Items, 25)
	for i := range items {
		items[i].Input = i
	}
	id := finish(t, client, evalrpc.RunOptions{Name: "paged", Data: items, Task: evalrpc.HTTPTask{URL: app.Task()}}).ExperimentID()
	for i, result := range all(t, client.ListResults(within(t), id, evalrpc.ListResultsOptions{PageSize: 10})) {
		equal(t, "index", result.Item.Index, i)
	}
}

func TestARunCanBeCancelled(t *testing.T) {
	app := application(t)
	client := connect(t)
	run := start(t, client, evalrpc.RunOptions{
		Name: "cancelled", Data: evalrpc.Items{{Input: "later"}, {Input: "later too"}},
		Task: evalrpc.HTTPTask{URL: app.Gated()},
	})
	if _, err := client.Cancel(within(t), run.ExperimentID()); err != nil {
		t.Fatal(err)
	}
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "state", result.State(), evalrpc.StateCancelled)
	for _, each := range result.ItemResults {
		equal(t, "reason", each.Failure.Reason, "CANCELLED")
	}
}

func TestTheContextEndsTheWaitAndNotTheExperiment(t *testing.T) {
	app := application(t)
	client := connect(t)
	run := start(t, client, evalrpc.RunOptions{
		Name: "waited for", Data: evalrpc.Items{{Input: "now"}, {Input: "later"}}, Task: evalrpc.HTTPTask{URL: app.Gated()},
	})
	ctx, cancel := context.WithCancel(within(t))
	for event, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if event.ItemResult != nil {
			break
		}
	}
	cancel()
	if _, err := run.Result(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	app.Open()
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "results", len(result.ItemResults), 2)
}

func TestTheSameRequestIDJoins(t *testing.T) {
	app := application(t)
	client := connect(t)
	options := evalrpc.RunOptions{
		Name: "once", Data: evalrpc.Items{{Input: 1}}, Task: evalrpc.HTTPTask{URL: app.Task()}, RequestID: "go-once",
	}
	first, second := finish(t, client, options), finish(t, client, options)
	equal(t, "id", first.ExperimentID(), second.ExperimentID())
	options.Name = "another"
	_, err := client.Run(within(t), options)
	if !errors.Is(err, evalrpc.ErrAlreadyExists) || evalrpc.Reason(err) != "REQUEST_ID_REUSED" {
		t.Error(err)
	}
}

func TestAWholeSpecIsOverriddenByOptions(t *testing.T) {
	app := application(t)
	result := finish(t, connect(t), evalrpc.RunOptions{
		Spec: &evalrpcv1.ExperimentSpec{
			Name: "of the spec",
			Data: &evalrpcv1.ExperimentSpec_Items{Items: &evalrpcv1.ItemList{Items: []*evalrpcv1.Item{
				{Input: &evalrpcv1.Json{Kind: &evalrpcv1.Json_Text{Text: `"four"`}}},
			}}},
		},
		Name:        "of the options",
		Task:        evalrpc.HTTPTask{URL: app.Task()},
		Evaluators:  []evalrpc.Evaluator{evalrpc.Builtin("length", nil).Named("size")},
		Repetitions: 2,
		Retry:       evalrpc.RetryPolicy{MaxAttempts: 1},
	})
	equal(t, "name", result.Name(), "of the options")
	equal(t, "results", len(result.ItemResults), 2)
	equal(t, "attempts", result.Experiment.Spec.GetRetry().GetMaxAttempts(), 1)
	if summary, ok := result.Experiment.Summary("size"); !ok || summary.Mean == nil || *summary.Mean != 4 {
		t.Errorf("summary: %+v", summary)
	}
}

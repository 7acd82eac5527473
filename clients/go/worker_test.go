package evalrpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/internal/testserver"
)

func echo(_ context.Context, item evalrpc.TaskItem) (any, error) { return item.Input, nil }

// serve runs a worker until the test ends; it returns what stops it and tells how that went.
func serve(t *testing.T, client *evalrpc.Client, options evalrpc.WorkerOptions) (*evalrpc.Worker, func() error) {
	t.Helper()
	options.Logger = slog.New(slog.DiscardHandler)
	worker, err := evalrpc.NewWorker(client, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- worker.Serve(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return worker, stop
}

// eventually fails the test unless a condition comes to hold.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func numbered(count int) evalrpc.Items {
	items := make(evalrpc.Items, count)
	for i := range items {
		items[i].Input = i
	}
	return items
}

func TestAWorkerServesExperimentsOfOthers(t *testing.T) {
	client := connect(t)
	worker, stop := serve(t, client, evalrpc.WorkerOptions{
		Functions: []evalrpc.Function{
			{Name: "others-echo", Description: "Says the same", Task: echo,
				InputSchema: map[string]any{"type": "integer"}},
			{Evaluator: evalrpc.EvaluatorFunc("others-right", right)},
		},
		MaxInFlight: 1,
	})
	result := finish(t, connect(t), evalrpc.RunOptions{
		Name: "by others", Data: numbered(50),
		Task:       evalrpc.WorkerTask{Function: "others-echo"},
		Evaluators: []evalrpc.Evaluator{evalrpc.WorkerEvaluator("right", "others-right")},
	})
	equal(t, "failed", len(result.FailedItems()), 0)
	listed := all(t, client.ListWorkers(within(t), "others-echo"))
	if len(listed) != 1 {
		t.Fatalf("listed: %v", listed)
	}
	equal(t, "id", listed[0].ID, worker.ID())
	equal(t, "state", listed[0].State, evalrpc.WorkerConnected)
	equal(t, "client", listed[0].Client, "evalrpc-go "+evalrpc.Version)
	equal(t, "completed", listed[0].Completed, 100)
	equal(t, "completed here", worker.Stats().Completed, 100)
	if err := stop(); err != nil {
		t.Error(err)
	}
	equal(t, "listed after the goodbye", len(all(t, client.ListWorkers(within(t), "others-echo"))), 0)
}

func TestAWorkerThatDrainsFinishesWhatItHas(t *testing.T) {
	client := connect(t)
	begun, release := make(chan struct{}), make(chan struct{})
	_, stop := serve(t, client, evalrpc.WorkerOptions{Functions: []evalrpc.Function{{
		Name: "drained", Task: func(context.Context, evalrpc.TaskItem) (any, error) {
			close(begun)
			<-release
			return "by the first", nil
		},
	}}})
	run := start(t, client, evalrpc.RunOptions{
		Name: "drained", Data: numbered(2), Task: evalrpc.WorkerTask{Function: "drained"}, MaxConcurrency: 1,
	})
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	eventually(t, "the server knows that the worker drains", func() bool {
		listed := all(t, client.ListWorkers(within(t), "drained"))
		return len(listed) == 1 && listed[0].State == evalrpc.WorkerDraining
	})
	serve(t, client, evalrpc.WorkerOptions{Functions: []evalrpc.Function{{
		Name: "drained",
		Task: func(context.Context, evalrpc.TaskItem) (any, error) { return "by the second", nil },
	}}})
	close(release)
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first", result.ItemResults[0].Output.String(), "by the first")
	equal(t, "second", result.ItemResults[1].Output.String(), "by the second")
	equal(t, "attempts", result.ItemResults[0].Attempts, 1)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestGraceEnds(t *testing.T) {
	client := connect(t)
	begun := make(chan struct{})
	_, stop := serve(t, client, evalrpc.WorkerOptions{
		Functions: []evalrpc.Function{{Name: "endless", Task: func(ctx context.Context, _ evalrpc.TaskItem) (any, error) {
			close(begun)
			<-ctx.Done()
			return nil, ctx.Err()
		}}},
		Grace: 50 * time.Millisecond,
	})
	run := start(t, client, evalrpc.RunOptions{
		Name: "endless", Data: numbered(1), Task: evalrpc.WorkerTask{Function: "endless"},
	})
	<-begun
	if err := stop(); err == nil || !strings.Contains(err.Error(), "1 calls unfinished") {
		t.Error(err)
	}
	serve(t, client, evalrpc.WorkerOptions{Functions: []evalrpc.Function{{Name: "endless", Task: echo}}})
	result, err := run.Result(within(t)) // the goodbye gave the item to the other at once
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "output", result.ItemResults[0].Output, evalrpc.JSON("0"))
}

func TestAWorkerWhoseWireIsCutLosesNothing(t *testing.T) {
	wire, err := testserver.NewWire(testserver.Shared.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	var mutex sync.Mutex
	calls := map[string]int{}
	worker, _ := serve(t, connectTo(t, wire.Address()), evalrpc.WorkerOptions{
		Functions: []evalrpc.Function{
			{Name: "cut", Task: func(_ context.Context, item evalrpc.TaskItem) (any, error) {
				time.Sleep(5 * time.Millisecond) // so that cuts hit functions at work
				mutex.Lock()
				defer mutex.Unlock()
				calls[item.ID]++
				return item.Input, nil
			}},
			{Evaluator: evalrpc.RunEvaluatorFunc("cut-count", func(_ context.Context, input evalrpc.RunEvaluatorInput) (int, error) {
				count := 0
				for _, err := range input.Results() {
					if err != nil {
						return 0, err
					}
					if count++; count%150 == 0 {
						wire.Cut()
					}
				}
				return count, nil
			})},
		},
		MaxInFlight: 8,
	})
	run := start(t, connect(t), evalrpc.RunOptions{
		Name: "cut", Data: numbered(600), Task: evalrpc.WorkerTask{Function: "cut"},
		RunEvaluators: []evalrpc.Evaluator{evalrpc.WorkerEvaluator("count", "cut-count")},
	})
	for event, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if event.Sequence%100 == 0 {
			wire.Cut()
		}
	}
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, each := range result.ItemResults {
		equal(t, "output", each.Output, evalrpc.JSON(fmt.Sprint(i)))
		equal(t, "calls", calls[each.Item.ID], 1) // a cut is no death: the worker keeps what it has
	}
	count, _ := result.RunEvaluation("count")
	equal(t, "count", count.Value, evalrpc.Value(evalrpc.Number(600)))
	if connections := worker.Stats().Connections; connections < 4 {
		t.Errorf("only %d connections", connections)
	}
}

func TestAWorkerFindsAKilledServerAgain(t *testing.T) {
	folder := t.TempDir()
	first, err := testserver.Start(folder, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Kill)
	client := connectTo(t, first.Address)
	_, stop := serve(t, client, evalrpc.WorkerOptions{Functions: []evalrpc.Function{{Name: "echo", Task: echo}}})
	run := start(t, client, evalrpc.RunOptions{Name: "killed", Data: numbered(200), Task: evalrpc.WorkerTask{Function: "echo"},
		MaxConcurrency: 4})
	seen := map[int]int{}
	for event, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if event.ItemResult != nil {
			seen[event.ItemResult.Item.Index]++
		}
		if len(seen) == 50 {
			break
		}
	}
	first.Kill()
	second, err := testserver.Start(folder, first.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Kill)
	for _, event := range all(t, run.Events()) {
		if event.ItemResult != nil {
			seen[event.ItemResult.Item.Index]++
		}
	}
	equal(t, "items", len(seen), 200)
	for index, count := range seen {
		equal(t, fmt.Sprintf("results of item %d", index), count, 1)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAWorkerThatIsGoneIsReplacedAndItsLateReportIgnored(t *testing.T) {
	server, err := testserver.Start(t.TempDir(), "", "EVALRPC_WORKER_LEASE=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	wire, err := testserver.NewWire(server.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	begun, cause := make(chan struct{}), make(chan error, 1)
	gone, stopGone := serve(t, connectTo(t, wire.Address()), evalrpc.WorkerOptions{Functions: []evalrpc.Function{{
		Name: "answer", Task: func(ctx context.Context, _ evalrpc.TaskItem) (any, error) {
			close(begun)
			<-ctx.Done() // it ends as soon as the server says that the call has gone to another
			cause <- context.Cause(ctx)
			return "late", nil
		},
	}}})
	client := connectTo(t, server.Address)
	run := start(t, client, evalrpc.RunOptions{
		Name: "replaced", Data: numbered(1), Task: evalrpc.WorkerTask{Function: "answer"},
	})
	<-begun
	wire.SetTarget("127.0.0.1:1")
	wire.Cut()
	_, stopOther := serve(t, client, evalrpc.WorkerOptions{Functions: []evalrpc.Function{{Name: "answer", Task: echo}}})
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "output", result.ItemResults[0].Output, evalrpc.JSON("0"))
	wire.SetTarget(server.Address)
	if err := <-cause; !strings.Contains(err.Error(), "not this worker's any more") {
		t.Error(err)
	}
	eventually(t, "the function has ended", func() bool { return gone.Stats().InFlight == 0 })
	equal(t, "lost", gone.Stats().Lost, 1)
	equal(t, "completed", gone.Stats().Completed, 0)
	for _, stop := range []func() error{stopGone, stopOther} {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestWorkersThatCannotBeAreRefused(t *testing.T) {
	client := connect(t)
	for what, functions := range map[string][]evalrpc.Function{
		"none":          nil,
		"nothing":       {{Name: "x"}},
		"both":          {{Name: "x", Task: echo, Evaluator: evalrpc.EvaluatorFunc("x", right)}},
		"no function":   {{Evaluator: evalrpc.Builtin("length", nil)}},
		"the same name": {{Name: "x", Task: echo}, {Name: "x", Task: echo}},
	} {
		if _, err := evalrpc.NewWorker(client, evalrpc.WorkerOptions{Functions: functions}); !evalrpc.IsInvalidRequest(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	serve(t, client, evalrpc.WorkerOptions{Functions: []evalrpc.Function{{Name: "of two kinds", Task: echo}}})
	eventually(t, "the first is there", func() bool { return len(all(t, client.ListWorkers(within(t), "of two kinds"))) == 1 })
	other, err := evalrpc.NewWorker(client, evalrpc.WorkerOptions{
		Functions: []evalrpc.Function{{Evaluator: evalrpc.EvaluatorFunc("of two kinds", right)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = other.Serve(within(t))
	if !errors.Is(err, evalrpc.ErrInvalidRequest) || evalrpc.Reason(err) != "FUNCTION_KIND_CONFLICT" {
		t.Error(err)
	}
}

func TestLocalFunctionsAreForRunsAndWorkers(t *testing.T) {
	client := connect(t)
	options := evalrpc.RunOptions{Name: "x", Data: numbered(1), Task: evalrpc.TaskFunc(echo)}
	if _, err := client.Start(within(t), options); !evalrpc.IsInvalidRequest(err) {
		t.Error(err)
	}
	_, err := client.RegisterEvaluator(within(t), evalrpc.EvaluatorFunc("x", right), "")
	if !evalrpc.IsInvalidRequest(err) {
		t.Error(err)
	}
	evaluators := []evalrpc.Evaluator{evalrpc.EvaluatorFunc("x", right)}
	_, err = client.Evaluate(within(t), "exp_1", evalrpc.EvaluateOptions{Evaluators: evaluators})
	if !evalrpc.IsInvalidRequest(err) {
		t.Error(err)
	}
	if _, err = client.Retry(within(t), "exp_1", evalrpc.RetryOptions{Scope: "HALF"}); !evalrpc.IsInvalidRequest(err) {
		t.Error(err)
	}
}

package evalrpc_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/internal/testserver"
)

const cutItems = 40

// toBeCut is a run whose first half completes at once and whose second half waits for the gate.
func toBeCut(app *testserver.Application) evalrpc.RunOptions {
	items := make(evalrpc.Items, cutItems)
	for i := range items {
		items[i].Input = fmt.Sprintf("now-%d", i)
		if i >= cutItems/2 {
			items[i].Input = fmt.Sprintf("later-%d", i)
		}
	}
	return evalrpc.RunOptions{
		Name: "cut", Data: items, Task: evalrpc.HTTPTask{URL: app.Gated()}, MaxConcurrency: cutItems,
	}
}

// whole fails the test unless these are all events of a run, each once and in order.
func whole(t *testing.T, events []*evalrpc.Event) {
	t.Helper()
	for i, event := range events {
		equal(t, "sequence", event.Sequence, i+1)
	}
	if last := events[len(events)-1]; last.Experiment == nil || last.Experiment.State != evalrpc.StateSucceeded {
		t.Error("the last event is not the end")
	}
}

func TestAWireCutAgainAndAgainLosesNothing(t *testing.T) {
	app := application(t)
	wire, err := testserver.NewWire(testserver.Shared.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	run := start(t, connectTo(t, wire.Address()), toBeCut(app))
	var events []*evalrpc.Event
	for event, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
		if event.Sequence%8 == 0 {
			wire.Cut()
		}
		if event.Sequence == cutItems/2 {
			app.Open()
		}
	}
	whole(t, events)
	result, err := run.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, each := range result.ItemResults {
		equal(t, "index", each.Item.Index, i)
	}
	equal(t, "results", len(result.ItemResults), cutItems)
}

func TestAKilledServerIsFoundAgain(t *testing.T) {
	app := application(t)
	folder := t.TempDir()
	first, err := testserver.Start(folder, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Kill)
	run := start(t, connectTo(t, first.Address), toBeCut(app))
	var events []*evalrpc.Event
	for event, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if events = append(events, event); event.Sequence == cutItems/2 {
			break
		}
	}
	first.Kill()
	app.Open()
	second, err := testserver.Start(folder, first.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Kill)
	whole(t, append(events, all(t, run.Events())...))
}

func TestAStartCutBeforeItsAnswerIsRepeatedUnderTheSameID(t *testing.T) {
	server := script(t, []step{cut(codes.Unavailable)}, []step{cut(codes.Unavailable)}, []step{running(1), succeeded(2)})
	run := start(t, connectTo(t, server.address), evalrpc.RunOptions{Name: "x", Data: evalrpc.Items{{Input: 1}}})
	whole(t, all(t, run.Events()))
	equal(t, "runs", len(server.runs), 3)
	for _, request := range server.runs {
		equal(t, "request id", request.GetRequestId(), server.runs[0].GetRequestId())
		equal(t, "items", len(request.GetExperiment().GetItems().GetItems()), 1)
	}
	if server.runs[0].GetRequestId() == "" {
		t.Error("there is no request id")
	}
}

func TestACutStreamGoesOnBehindTheLastEvent(t *testing.T) {
	server := script(t,
		[]step{running(1), result(2, 0), cut(codes.Unavailable)},
		[]step{cut(codes.Unavailable)},
		[]step{result(3, 1), cut(codes.Internal)},
		[]step{result(4, 2), cut(codes.Canceled)},
		[]step{result(5, 3)}, // and an end that comes too early
		[]step{result(6, 4), refuse(codes.ResourceExhausted, "TOO_MANY_RPCS", 10*time.Millisecond)},
		[]step{succeeded(7)},
	)
	run := start(t, connectTo(t, server.address), evalrpc.RunOptions{Name: "x", Data: evalrpc.Items{{Input: 1}}})
	whole(t, all(t, run.Events()))
	if got := server.afters(); !slices.Equal(got, []int32{2, 2, 3, 4, 5, 6}) {
		t.Errorf("resumed behind %v", got)
	}
}

func TestRepeatsUnknownKindsAndCheckpointsArePassedOver(t *testing.T) {
	server := script(t,
		[]step{checkpoint(0, false), running(1), result(2, 0), result(2, 0), result(4, 2)}, // 3 is missing
		[]step{result(1, 0), ofUnknownKind(3), checkpoint(3, true)},
		[]step{succeeded(4)},
	)
	run := connectTo(t, server.address).Watch(within(t), scriptedID, evalrpc.WatchOptions{})
	defer run.Close()
	var seen []int
	for _, event := range all(t, run.Events()) {
		seen = append(seen, event.Sequence)
	}
	if !slices.Equal(seen, []int{1, 2, 4}) || !slices.Equal(server.afters(), []int32{0, 2, 3}) {
		t.Errorf("seen %v, resumed behind %v", seen, server.afters())
	}
}

func TestPatienceEnds(t *testing.T) {
	scripts := [][]step{{running(1), result(2, 0), cut(codes.Unavailable)}}
	for range 100 {
		scripts = append(scripts, []step{cut(codes.Unavailable)})
	}
	server := script(t, scripts...)
	run := connectTo(t, server.address).Watch(within(t), scriptedID, evalrpc.WatchOptions{Patience: 500 * time.Millisecond})
	defer run.Close()
	_, err := run.Result(within(t))
	if !errors.Is(err, evalrpc.ErrWatchInterrupted) || !evalrpc.IsUnavailable(err) {
		t.Fatal(err)
	}
	equal(t, "after_sequence", failure(t, err).Metadata["after_sequence"], "2")
	server.mutex.Lock()
	server.scripts = [][]step{{succeeded(3)}}
	server.mutex.Unlock()
	result, err := run.Result(within(t)) // asking again goes on
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "results", len(result.ItemResults), 1)
}

func TestNoPatienceIsNoResuming(t *testing.T) {
	server := script(t, []step{running(1), checkpoint(1, true), cut(codes.Unavailable)})
	run := connectTo(t, server.address).Watch(within(t), scriptedID, evalrpc.WatchOptions{Patience: -1})
	defer run.Close()
	if _, err := run.Result(within(t)); !errors.Is(err, evalrpc.ErrWatchInterrupted) {
		t.Error(err)
	}
	equal(t, "watches", len(server.afters()), 1)
}

func TestWhatDoesNotPassIsToldAtOnce(t *testing.T) {
	for code, expected := range map[codes.Code]error{
		codes.OutOfRange:        evalrpc.ErrOutOfRange,
		codes.Internal:          evalrpc.ErrInternal,
		codes.ResourceExhausted: evalrpc.ErrResourceExhausted,
		codes.Unauthenticated:   evalrpc.ErrUnauthenticated,
	} {
		server := script(t, []step{running(1), refuse(code, "SOME_REASON", 0)})
		run := connectTo(t, server.address).Watch(within(t), scriptedID, evalrpc.WatchOptions{})
		_, err := run.Result(within(t))
		if !errors.Is(err, expected) || evalrpc.Reason(err) != "SOME_REASON" {
			t.Errorf("%s: %v", code, err)
		}
		run.Close()
		equal(t, "watches", len(server.afters()), 1)
	}
}

func TestCallsThatAreSafeToRepeatAreRepeated(t *testing.T) {
	server := script(t, []step{cut(codes.Unavailable)}, []step{cut(codes.Unavailable)}, []step{running(1)})
	client := connectTo(t, server.address, evalrpc.WithToken("secret"))
	started, err := client.Start(within(t), evalrpc.RunOptions{Name: "x", Data: evalrpc.Items{{Input: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "id", started.ID, scriptedID)
	equal(t, "starts", len(server.starts), 3)
	equal(t, "request id", server.starts[2].GetRequestId(), server.starts[0].GetRequestId())
	caller := server.callers[2]
	equal(t, "client", caller.Get("evalrpc-client")[0], "go/"+evalrpc.Version)
	equal(t, "token", caller.Get("authorization")[0], "Bearer secret")
}

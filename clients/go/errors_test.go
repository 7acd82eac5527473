package evalrpc_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
)

func TestEveryWrongFieldIsNamed(t *testing.T) {
	_, err := connect(t).Run(within(t), evalrpc.RunOptions{
		Data: evalrpc.Items{{Input: 1}},
		Task: evalrpc.HTTPTask{URL: "ftp://example.org"},
	})
	if !errors.Is(err, evalrpc.ErrInvalidRequest) || errors.Is(err, evalrpc.ErrNotFound) {
		t.Fatal(err)
	}
	found := failure(t, err)
	equal(t, "reason", found.Reason, "INVALID_FIELD")
	var paths []string
	for _, violation := range found.Violations {
		paths = append(paths, violation.Path)
	}
	for _, path := range []string{"experiment.name", "experiment.task.http.url"} {
		if !strings.Contains(strings.Join(paths, " "), path) {
			t.Errorf("%s is not among %v", path, paths)
		}
	}
	if found.RequestID == "" {
		t.Error("the error has no request id")
	}
}

func TestWhatDoesNotExistIsToldWithItsFacts(t *testing.T) {
	_, err := connect(t).Get(within(t), "exp_none")
	if !evalrpc.IsNotFound(err) {
		t.Fatal(err)
	}
	found := failure(t, err)
	equal(t, "reason", found.Reason, "EXPERIMENT_NOT_FOUND")
	equal(t, "metadata", found.Metadata["experiment_id"], "exp_none")
}

func TestWrongValuesAreFoundBeforeAnythingIsSent(t *testing.T) {
	client := connectTo(t, "127.0.0.1:1")
	for path, options := range map[string]evalrpc.RunOptions{
		"data[1].input":                  {Data: evalrpc.Items{{Input: 1}, {Input: math.NaN()}}},
		"data[0].metadata":               {Data: evalrpc.Items{{Metadata: evalrpc.JSON("{")}}},
		"experiment.metadata":            {Metadata: map[string]any{"x": make(chan int)}},
		"experiment.evaluators[0]":       {Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("contains", evalrpc.Params{"x": t})}},
		"experiment.run_evaluators[0]":   {RunEvaluators: []evalrpc.Evaluator{evalrpc.EvaluatorFunc("x", always)}},
		"experiment.evaluators[1]":       {Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("length", nil), evalrpc.RunEvaluatorFunc("x", whatever)}},
		"experiment.composite_evaluator": {CompositeEvaluator: evalrpc.RunEvaluatorFunc("x", whatever)},
	} {
		_, err := client.Run(within(t), options)
		if !evalrpc.IsInvalidRequest(err) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		equal(t, "path", failure(t, err).Violations[0].Path, path)
	}
}

func always(context.Context, evalrpc.EvaluatorInput) (bool, error) { return true, nil }

func whatever(context.Context, evalrpc.RunEvaluatorInput) (float64, error) { return 0, nil }

func TestAServerThatIsNotThereIsToldSoon(t *testing.T) {
	client := connectTo(t, "127.0.0.1:1")
	_, err := client.Get(within(t), "exp_1")
	if !errors.Is(err, evalrpc.ErrUnreachable) || !evalrpc.IsUnavailable(err) {
		t.Error(err)
	}
	_, err = client.Run(within(t), evalrpc.RunOptions{Name: "x", Data: evalrpc.Items{{Input: 1}}})
	if !errors.Is(err, evalrpc.ErrUnreachable) {
		t.Fatal(err)
	}
	if text := err.Error(); !strings.Contains(text, "evalrpc-server serve --listen 127.0.0.1:1") {
		t.Error(text)
	}
}

func TestAContextThatEndsIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	_, err := connect(t).Get(ctx, "exp_1")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_, err = connect(t, evalrpc.WithTimeout(time.Nanosecond)).Get(within(t), "exp_1")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAddressesAreRead(t *testing.T) {
	t.Setenv("EVALRPC_ADDRESS", "")
	for given, want := range map[string]string{
		"":                         "localhost:50051",
		"http://localhost":         "localhost:80",
		"https://example.org":      "example.org:443",
		"https://[::1]:9000/":      "[::1]:9000",
		"unix:///run/evalrpc.sock": "unix:///run/evalrpc.sock",
	} {
		equal(t, given, connectTo(t, given).Address(), want)
	}
	t.Setenv("EVALRPC_ADDRESS", "example.org:1234")
	equal(t, "by environment", connectTo(t, "").Address(), "example.org:1234")
	_, err := evalrpc.NewClient("http://localhost/path")
	if !evalrpc.IsInvalidRequest(err) {
		t.Error(err)
	}
}

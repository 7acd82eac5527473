package evalrpc_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/internal/testserver"
)

const deadline = 60 * time.Second

func TestMain(m *testing.M) { testserver.Main(m) }

// connect returns a client of the shared server.
func connect(t *testing.T, options ...evalrpc.Option) *evalrpc.Client {
	t.Helper()
	return connectTo(t, testserver.Shared.Address, options...)
}

func connectTo(t *testing.T, address string, options ...evalrpc.Option) *evalrpc.Client {
	t.Helper()
	client, err := evalrpc.NewClient(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// within returns a context that ends before the test would hang.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func application(t *testing.T) *testserver.Application {
	t.Helper()
	made := testserver.NewApplication()
	t.Cleanup(made.Close)
	return made
}

// start starts a run that is closed in the end.
func start(t *testing.T, client *evalrpc.Client, options evalrpc.RunOptions) *evalrpc.Run {
	t.Helper()
	run, err := client.Run(within(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(run.Close)
	return run
}

// finish returns the result of a run.
func finish(t *testing.T, client *evalrpc.Client, options evalrpc.RunOptions) *evalrpc.ExperimentResult {
	t.Helper()
	result, err := start(t, client, options).Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// all returns what an iterator yields, and fails the test for an error.
func all[T any](t *testing.T, values iter.Seq2[T, error]) []T {
	t.Helper()
	var found []T
	for value, err := range values {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, value)
	}
	return found
}

// failure returns the call error that err is.
func failure(t *testing.T, err error) *evalrpc.Error {
	t.Helper()
	var found *evalrpc.Error
	if !errors.As(err, &found) {
		t.Fatalf("%v is no *evalrpc.Error", err)
	}
	return found
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Package examples runs each of the examples.
package examples

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpctest"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
	"github.com/evalrpc/evalrpc/clients/go/internal/testserver"
)

const deadline = 60 * time.Second

var programs string

func TestMain(m *testing.M) { testserver.Main(m) }

// build makes all examples once, and returns the path of one.
func build(t *testing.T, name string) string {
	t.Helper()
	if programs == "" {
		folder, err := os.MkdirTemp("", "evalrpc-examples-")
		if err != nil {
			t.Fatal(err)
		}
		if output, err := exec.Command("go", "build", "-o", folder, "./...").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		programs = folder
	}
	return filepath.Join(programs, name)
}

func command(t *testing.T, name, address string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	made := exec.CommandContext(ctx, build(t, name))
	made.Env = append(os.Environ(), "EVALRPC_ADDRESS="+address)
	return made
}

func TestExamplesDoWhatTheySay(t *testing.T) {
	t.Cleanup(func() { _ = os.RemoveAll(programs) }) // a folder of its own, in the system's place for such
	for name, wants := range map[string][]string{
		"quiz":     {"Input:    What is the capital of France?", "• accuracy: 50.0% (1 of 2 true)", "• avg_accuracy: 0.500"},
		"follow":   {"Followed - ", "item 2 gave 6", "3/3 items, 0 failed"},
		"endpoint": {`3 trials, the first gave PARIS`},
		"data":     {"uploaded 10000", "3 results, the last one exactly 1152921504606846978"},
		"evaluators": {"• judge: 1 unscored", "• right: 100.0% (1 of 1 true)", "• tone: loud 1", "• overall: ",
			"• answered: 2.000"},
		"detached": {"started, now ", "event 2", "Detached is CANCELLED", "0 items came"},
		"errors":   {"experiment.name ", "EXPERIMENT_NOT_FOUND map[experiment_id:exp_none]", "can be reached at localhost:1"},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := command(t, name, testserver.Shared.Address).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			contains(t, string(output), wants...)
		})
	}
	t.Run("accuracy", failsBelow)
	t.Run("worker", hostsAndDrains)
	t.Run("langfuse", linksAndScores)
}

func failsBelow(t *testing.T) {
	tests := exec.CommandContext(t.Context(), "go", "test", "-tags=below", "-run=Below", "./accuracy")
	output, err := tests.CombinedOutput()
	if failed := (&exec.ExitError{}); !errors.As(err, &failed) || failed.ExitCode() != 1 {
		t.Fatalf("%v: %s", err, output)
	}
	contains(t, string(output), "--- FAIL: TestAccuracyFailsBelow", "avg_accuracy is 0.500 and must be at least 0.8",
		`item 2 (de), input "Germany", expected "Berlin", output "Bonn"`)
}

func hostsAndDrains(t *testing.T) {
	worker := command(t, "worker", testserver.Shared.Address)
	output, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "serving as go-") {
		t.Fatal(lines.Text())
	}
	client, err := evalrpc.NewClient(testserver.Shared.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	run, err := client.Run(t.Context(), evalrpc.RunOptions{
		Name: "Hosted", Data: evalrpc.Items{{Input: "paris"}}, Task: evalrpc.WorkerTask{Function: "answer"},
		Evaluators: []evalrpc.Evaluator{evalrpc.WorkerEvaluator("loud", "loud")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	result, err := run.Result(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	contains(t, result.Format(evalrpc.IncludeItemResults()), "Actual:   PARIS", "• loud: True")
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "2 calls completed" {
		t.Error(lines.Text())
	}
	if err := worker.Wait(); err != nil {
		t.Error(err)
	}
}

func linksAndScores(t *testing.T) {
	langfuse, err := testserver.StartLangfuse("capitals",
		map[string]any{"id": "fr", "input": "France", "expectedOutput": "Paris"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(langfuse.Stop)
	server, err := testserver.Start(t.TempDir(), "", langfuse.Environment...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	output, err := command(t, "langfuse", server.Address).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	contains(t, string(output), "France is part of ", "and its score is QUEUED")
	runsOverADataset(t, server.Address)
}

func runsOverADataset(t *testing.T, address string) {
	t.Helper()
	client, err := evalrpc.NewClient(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	result := evalrpctest.Run(t, client, evalrpc.RunOptions{
		Name: "Capitals", Data: evalrpc.LangfuseDataset{Name: "capitals"},
		Task: evalrpc.TypedTask(func(_ context.Context, country string) (string, error) {
			return map[string]string{"France": "Paris"}[country], nil
		}),
		Evaluators:   []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("accuracy")},
		LangfuseSync: evalrpcv1.LangfuseSync_LANGFUSE_SYNC_WAIT,
	})
	evalrpctest.AssertAtLeast(t, result, "accuracy", 1)
	if len(result.ItemResults) != 1 || result.ItemResults[0].Item.DatasetItemID != "fr" {
		t.Errorf("results: %+v", result.ItemResults)
	}
	if status := result.Experiment.Langfuse; status == nil || status.Accepted == 0 || status.Rejected != 0 {
		t.Errorf("Langfuse: %+v", status)
	}
}

// TestTheReadmeShowsTheExamples compares the code blocks that name a file with that file.
func TestTheReadmeShowsTheExamples(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, block := range strings.Split(string(readme), "```go\n// examples/")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		code, _, _ := strings.Cut(rest, "```")
		program, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		found++
		for _, part := range strings.Split(code, "\t// ...\n") {
			if !bytes.Contains(program, []byte(strings.TrimSpace(part))) {
				t.Errorf("this is not in %s:\n%s", name, part)
			}
		}
	}
	if found == 0 {
		t.Error("the README shows none")
	}
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

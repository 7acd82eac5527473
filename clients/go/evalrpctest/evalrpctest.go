// Package evalrpctest checks experiments in go test: run one, then say what must hold. A failed check shows the items that
// are to blame.
//
//	func TestAccuracy(t *testing.T) {
//		result := evalrpctest.Run(t, client, evalrpc.RunOptions{...})
//		evalrpctest.AssertAtLeast(t, result, "accuracy", 0.8)
//	}
package evalrpctest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go"
)

const mostShown = 10

// Run runs an experiment to its end, for as long as the test lasts. It ends the test if the experiment is not accepted,
// cannot be followed, or does not succeed; items that failed are no such failure: see [AssertNoFailures].
func Run(t testing.TB, client *evalrpc.Client, options evalrpc.RunOptions) *evalrpc.ExperimentResult {
	t.Helper()
	result, err := client.RunExperiment(t.Context(), options)
	if err != nil {
		t.Fatalf("the experiment could not be run: %v", err)
	}
	if result.State() != evalrpc.StateSucceeded {
		t.Fatalf("the experiment did not succeed:\n%s", result.Format())
	}
	return result
}

// AssertAtLeast fails the test unless a value is at least the bound. The value is the run evaluation of this name, or the
// mean of the item evaluations of this name, in which true counts as 1 and failed and unscored ones do not count. The items
// shown are those that failed or lie below the bound; for a run evaluation, those
// with an evaluation that is 0 or below its mean.
func AssertAtLeast(t testing.TB, result *evalrpc.ExperimentResult, name string, bound float64) {
	t.Helper()
	check(t, result, name, fmt.Sprintf("at least %g", bound), bound, func(value, bound float64) bool { return value < bound })
}

// AssertAtMost fails the test unless a value, as with [AssertAtLeast], is at most the bound.
func AssertAtMost(t testing.TB, result *evalrpc.ExperimentResult, name string, bound float64) {
	t.Helper()
	check(t, result, name, fmt.Sprintf("at most %g", bound), bound, func(value, bound float64) bool { return value > bound })
}

// AssertGates fails the test unless every gate of the spec holds; there must be one.
func AssertGates(t testing.TB, result *evalrpc.ExperimentResult) {
	t.Helper()
	if len(result.Experiment.Gates) == 0 {
		t.Errorf("%s: the spec has no gates", result.RunName())
	}
	for _, gate := range result.Experiment.Gates {
		if !gate.Passed {
			t.Errorf("%s: gate %s: %s", result.RunName(), gate.Name, gate.Message)
		}
	}
}

// AssertNoFailures fails the test if a task failed, or an evaluator.
func AssertNoFailures(t testing.TB, result *evalrpc.ExperimentResult) {
	t.Helper()
	var blamed []string
	for _, each := range result.ItemResults {
		if each.Failure != nil {
			blamed = append(blamed, describe(each, each.Failure.String()))
		}
		for _, evaluation := range each.Evaluations {
			if failure := evaluation.Failure(); failure != nil {
				blamed = append(blamed, describe(each, evaluation.Name+": "+failure.String()))
			}
		}
	}
	for _, evaluation := range result.RunEvaluations() {
		if failure := evaluation.Failure(); failure != nil {
			blamed = append(blamed, fmt.Sprintf("  run evaluation %s: %s", evaluation.Name, failure))
		}
	}
	if len(blamed) > 0 {
		t.Errorf("%s: something failed\n%s", result.RunName(), shown(blamed))
	}
}

func check(
	t testing.TB, result *evalrpc.ExperimentResult, name, wanted string, bound float64,
	misses func(value, bound float64) bool,
) {
	t.Helper()
	value, ok := valueOf(result, name)
	if !ok {
		t.Errorf("%s: there is no value of %s, which must be %s\n%s", result.RunName(), name, wanted, result.Format())
		return
	}
	if !misses(value, bound) {
		return
	}
	means := map[string]float64{}
	for _, summary := range result.Experiment.Summaries {
		if summary.Mean != nil {
			means[summary.Name] = *summary.Mean
		}
	}
	var blamed []string
	for _, each := range result.ItemResults {
		if each.Failure != nil {
			blamed = append(blamed, describe(each, each.Failure.String()))
			continue
		}
		for _, evaluation := range each.Evaluations {
			_, isOfItems := each.Evaluation(name)
			if isOfItems && evaluation.Name != name {
				continue
			}
			number, scored := evaluation.Number()
			low := misses(number, bound)
			if !isOfItems { // the bound is on a run evaluation, which may rest on any of them
				low = misses(number, means[evaluation.Name]) || low && number == 0
			}
			if scored && low {
				blamed = append(blamed, describe(each, fmt.Sprintf("%s is %g", evaluation.Name, number)))
			} else if failure := evaluation.Failure(); failure != nil {
				blamed = append(blamed, describe(each, evaluation.Name+": "+failure.String()))
			}
		}
	}
	t.Errorf("%s: %s is %.3f and must be %s\n%s", result.RunName(), name, value, wanted, shown(blamed))
}

// valueOf returns the value of a run evaluation, or the mean of item evaluations.
func valueOf(result *evalrpc.ExperimentResult, name string) (float64, bool) {
	if evaluation, found := result.RunEvaluation(name); found {
		return evaluation.Number()
	}
	sum, count := 0.0, 0
	for _, each := range result.ItemResults {
		for _, evaluation := range each.Evaluations {
			if number, scored := evaluation.Number(); evaluation.Name == name && scored {
				sum += number
				count++
			}
		}
	}
	return sum / float64(max(count, 1)), count > 0
}

func describe(result *evalrpc.ItemResult, what string) string {
	text := fmt.Sprintf("  item %d (%s), input %s", result.Item.Index+1, result.Item.ID, short(result.Item.Input))
	if !result.Item.ExpectedOutput.Absent() {
		text += ", expected " + short(result.Item.ExpectedOutput)
	}
	if !result.Output.Absent() {
		text += ", output " + short(result.Output)
	}
	return text + ": " + what
}

func short(document evalrpc.JSON) string {
	const most = 80
	if text := []rune(string(document)); len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(document)
}

func shown(lines []string) string {
	if len(lines) <= mostShown {
		return strings.Join(lines, "\n")
	}
	return strings.Join(lines[:mostShown], "\n") + fmt.Sprintf("\n  and %d more", len(lines)-mostShown)
}

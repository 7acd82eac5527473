package evalrpc

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const maxShown = 50

var rule = strings.Repeat("─", 50)

// report returns a result as text, without a line break at its end.
func report(experiment *Experiment, results []*ItemResult, options reportOptions) string {
	var lines []string
	trials := 1
	for _, result := range results {
		trials = max(trials, result.Trial)
	}
	if options.items {
		for i, result := range results {
			lines = append(lines, reportItem(i+1, result, trials)...)
		}
	} else {
		lines = append(lines, fmt.Sprintf("Individual Results: Hidden (%d items)", len(results)),
			"💡 Pass IncludeItemResults() to view them")
	}
	lines = append(lines, "", rule)
	lines = append(lines, reportHead(experiment, results, trials)...)
	if names := evaluationNames(experiment, results); len(names) > 0 {
		averages := []string{"", "Average Scores:"}
		lines = append(lines, "", "Evaluations:")
		for _, name := range names {
			lines = append(lines, "  • "+name)
			averages = append(averages, "  • "+name+": "+reportAverage(name, results))
		}
		lines = append(lines, averages...)
	}
	lines = append(lines, reportFailures(results)...)
	lines = append(lines, reportRunEvaluations(experiment.RunEvaluations)...)
	lines = append(lines, reportGates(experiment.Gates)...)
	if experiment.Langfuse != nil && experiment.Langfuse.URL != "" {
		lines = append(lines, "", "🔗 Experiment:", "   "+experiment.Langfuse.URL)
	}
	return strings.Join(lines, "\n")
}

// evaluationNames returns the names of the item evaluations: in the order of the spec's evaluators, then of the items. An
// evaluator may name its evaluations itself; they stand behind the one before them in their item.
func evaluationNames(experiment *Experiment, results []*ItemResult) []string {
	places := map[string]int{}
	for i, name := range slices.Backward(experiment.Evaluators) {
		places[name] = i
	}
	var names []string
	found := map[string]int{}
	for _, result := range results {
		place := 0
		for _, evaluation := range result.Evaluations {
			if known, ok := places[evaluation.Name]; ok {
				place = known
			}
			if _, ok := found[evaluation.Name]; !ok {
				found[evaluation.Name] = place
				names = append(names, evaluation.Name)
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return found[a] - found[b] })
	return names
}

func reportItem(number int, result *ItemResult, trials int) []string {
	trial := ""
	if trials > 1 {
		trial = fmt.Sprintf(", trial %d", result.Trial)
	}
	lines := []string{
		"",
		fmt.Sprintf("%d. Item %d%s:", number, result.Item.Index+1, trial),
		"   Input:    " + shown(result.Item.Input),
	}
	if !result.Item.ExpectedOutput.Absent() {
		lines = append(lines, "   Expected: "+shown(result.Item.ExpectedOutput))
	}
	if result.Failure == nil {
		lines = append(lines, "   Actual:   "+shown(result.Output))
	} else {
		lines = append(lines, "   Error:    "+oneLine(result.Failure.String()))
	}
	if len(result.Evaluations) > 0 {
		lines = append(lines, "", "   Scores:")
		lines = append(lines, verdicts(result.Evaluations, "     ")...)
	}
	if result.TraceURL != "" {
		lines = append(lines, "", "   Trace: "+result.TraceURL)
	} else if result.TraceID != "" {
		lines = append(lines, "", "   Trace ID: "+result.TraceID)
	}
	return lines
}

func reportHead(experiment *Experiment, results []*ItemResult, trials int) []string {
	runName := experiment.RunName
	if experiment.Description != "" {
		runName += " - " + experiment.Description
	}
	items, failed := map[int]bool{}, 0
	for _, result := range results {
		items[result.Item.Index] = true
		if result.Failure != nil {
			failed++
		}
	}
	counts := plural(len(items), "item")
	if trials > 1 {
		counts += fmt.Sprintf(", %d trials", len(results))
	}
	lines := []string{
		"🧪 Experiment: " + experiment.Name,
		"📋 Run name: " + runName,
		fmt.Sprintf("%s, %d failed", counts, failed),
	}
	if experiment.State != StateSucceeded {
		state := "State: " + string(experiment.State)
		if experiment.Failure != nil {
			state += " - " + oneLine(experiment.Failure.String())
		}
		lines = append(lines, state)
	}
	return lines
}

func reportAverage(name string, results []*ItemResult) string {
	var sum float64
	var numbers, booleans, unscored, failed int
	labels := map[string]int{}
	for _, result := range results {
		for _, evaluation := range result.Evaluations {
			if evaluation.Name != name {
				continue
			}
			number, _ := evaluation.Number()
			sum += number
			switch value := evaluation.Value.(type) {
			case Number:
				numbers++
			case Boolean:
				booleans++
			case Label:
				labels[string(value)]++
			case Unscored:
				unscored++
			case *Failure:
				failed++
			}
		}
	}
	var parts []string
	if counted := float64(numbers + booleans); numbers > 0 {
		parts = append(parts, fmt.Sprintf("%.3f", sum/counted))
	} else if booleans > 0 {
		parts = append(parts, fmt.Sprintf("%.1f%% (%.0f of %d true)", 100*sum/counted, sum, booleans))
	}
	for _, label := range byCount(labels) {
		parts = append(parts, fmt.Sprintf("%s %d", label, labels[label]))
	}
	if unscored > 0 {
		parts = append(parts, fmt.Sprintf("%d unscored", unscored))
	}
	if failed > 0 {
		parts = append(parts, plural(failed, "error"))
	}
	return strings.Join(parts, ", ")
}

func reportFailures(results []*ItemResult) []string {
	counts, messages := map[string]int{}, map[string]string{}
	for _, result := range slices.Backward(results) {
		if result.Failure != nil {
			counts[result.Failure.Reason]++
			messages[result.Failure.Reason] = result.Failure.Message
		}
	}
	if len(counts) == 0 {
		return nil
	}
	lines := []string{"", "Failures:"}
	for _, reason := range byCount(counts) {
		lines = append(lines, fmt.Sprintf("  • %s: %d (%s)", reason, counts[reason], oneLine(messages[reason])))
	}
	return lines
}

func reportRunEvaluations(evaluations []Evaluation) []string {
	if len(evaluations) == 0 {
		return nil
	}
	return append([]string{"", "Run Evaluations:"}, verdicts(evaluations, "  ")...)
}

func reportGates(gates []GateResult) []string {
	if len(gates) == 0 {
		return nil
	}
	lines := []string{"", "Gates:"}
	for _, gate := range gates {
		line := "  • " + gate.Name + ": failed"
		if gate.Passed {
			line = "  • " + gate.Name + ": passed"
		}
		if gate.Message != "" {
			line += " (" + oneLine(gate.Message) + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

func verdicts(evaluations []Evaluation, indent string) []string {
	var lines []string
	for _, evaluation := range evaluations {
		lines = append(lines, indent+"• "+evaluation.Name+": "+verdict(evaluation.Value))
		if evaluation.Comment != "" {
			lines = append(lines, indent+"  💭 "+oneLine(evaluation.Comment))
		}
	}
	return lines
}

func verdict(value Value) string {
	switch value := value.(type) {
	case Number:
		return fmt.Sprintf("%.3f", float64(value))
	case Boolean:
		if value {
			return "True"
		}
		return "False"
	case Label:
		return string(value)
	case Unscored:
		if value != "" {
			return "unscored (" + oneLine(string(value)) + ")"
		}
	case *Failure:
		return "error " + oneLine(value.String())
	}
	return "unscored"
}

func shown(document JSON) string {
	text := []rune(oneLine(pythonText(document)))
	if len(text) <= maxShown {
		return string(text)
	}
	return string(text[:maxShown]) + "..."
}

// oneLine keeps a text on its line.
func oneLine(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "\n", " "))
}

func plural(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}

// byCount returns the keys, the most frequent first.
func byCount(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
}

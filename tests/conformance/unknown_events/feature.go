// Package unknown_events shows a server of a later version that tells of things that this client does not know.
package unknown_events

import (
	"context"
	"encoding/json"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	run := s.ScriptedClient().Watch(ctx, "exp_scripted", evalrpc.WatchOptions{})
	defer run.Close()
	sequences, outputs := []int{}, []json.RawMessage{}
	for _, event := range stage.All(run.Events()) {
		sequences = append(sequences, event.Sequence)
		if event.ItemResult != nil {
			outputs = append(outputs, json.RawMessage(event.ItemResult.Output))
		}
	}
	return stage.Object{"state": run.Experiment().State, "outputs": outputs, "sequences": sequences}
}

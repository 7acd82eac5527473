// Package create_scores shows scores of traces, observations and runs; the same content is one score, however often it is
// written.
package create_scores

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

const trace = "4bf92f3577b34da6a3ce929d0e0e4736"

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	mine := s.Unique("mine")
	scores := []evalrpc.Score{
		{
			Name: "accuracy", Value: evalrpc.Number(0.5), TraceID: trace,
			Comment: "half", Metadata: evalrpc.JSON(`{"by": "hand"}`),
		},
		{Name: "right", Value: evalrpc.Boolean(true), TraceID: trace, ObservationID: "00f067aa0ba902b7", ID: mine},
		{Name: "tone", Value: evalrpc.Label("polite"), DatasetRunID: "a-run"},
	}
	client := s.Client()
	wait := evalrpc.CreateScoresOptions{Wait: true}
	first := stage.Must(client.CreateScores(ctx, scores, wait))
	again := stage.Must(client.CreateScores(ctx, scores, wait))
	deliveries, same := []evalrpc.ScoreDelivery{}, true
	for index, each := range first {
		deliveries = append(deliveries, each.Delivery)
		same = same && each.ID == again[index].ID
	}
	_, err := client.CreateScores(ctx, []evalrpc.Score{{Name: "none", Value: evalrpc.Number(1)}}, wait)
	wrong := stage.ErrorOf(err)
	return stage.Object{
		"deliveries":     deliveries,
		"own_id":         first[1].ID == mine,
		"same_ids_again": same,
		"wrong":          stage.Object{"kind": wrong["kind"], "violations": len(wrong["violations"].([]string))},
	}
}

// Package link_trace shows a trace of the caller's own that is tied to a dataset item, as part of a run.
package link_trace

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

const trace = "4bf92f3577b34da6a3ce929d0e0e4736"

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	link := func(item, trace string) (*evalrpc.LinkedDatasetItem, error) {
		return client.LinkDatasetItem(ctx, evalrpc.DatasetItemLink{
			DatasetName:   "capitals",
			DatasetItemID: item,
			RunName:       s.Unique("run"),
			TraceID:       trace,
			ObservationID: "00f067aa0ba902b7",
			RunMetadata:   map[string]any{"model": "m"},
		})
	}
	made := stage.Must(link("de", trace))
	_, err := link("none", trace)
	missing := stage.ErrorOf(err)
	_, wrong := link("de", "none")
	return stage.Object{
		"linked":  made.DatasetRunID != "",
		"item":    made.SpanAttributes["langfuse.experiment.item.id"],
		"root":    made.SpanAttributes["langfuse.experiment.item.root_observation_id"],
		"missing": stage.Object{"kind": missing["kind"], "reason": missing["reason"]},
		"wrong":   stage.ErrorOf(wrong)["violations"],
	}
}

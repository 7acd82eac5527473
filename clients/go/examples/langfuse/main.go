// Command langfuse reads a dataset of Langfuse, links traces of this program's own to its items, and scores them: what a
// runner of one's own needs. An experiment over a dataset needs none of it: give Run a LangfuseDataset as its data.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log"

	"github.com/evalrpc/evalrpc/clients/go"
)

// identifier returns a random id of so many bytes, as OpenTelemetry would give a trace or a span.
func identifier(size int) string {
	id := make([]byte, size)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

func main() {
	client, err := evalrpc.NewClient("")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	dataset, err := client.GetDataset(ctx, "capitals", "")
	if err != nil {
		log.Fatal(err)
	}
	for item, err := range client.ListDatasetItems(ctx, evalrpc.LangfuseDataset{Name: dataset.Name, Limit: 10}, "") {
		if err != nil {
			log.Fatal(err)
		}
		trace, span := identifier(16), identifier(8) // of the spans that trace the application's answer
		linked, err := client.LinkDatasetItem(ctx, evalrpc.DatasetItemLink{
			DatasetName: dataset.Name, DatasetItemID: item.ID, RunName: "by hand", TraceID: trace, ObservationID: span,
		})
		if err != nil {
			log.Fatal(err)
		}
		receipts, err := client.CreateScores(ctx, []evalrpc.Score{
			{Name: "accuracy", TraceID: trace, Value: evalrpc.Number(1)},
		}, evalrpc.CreateScoresOptions{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item.Input, "is part of", linked.DatasetRunID, "and its score is", receipts[0].Delivery)
	}
}

// Command data runs experiments over data of any length: uploaded as fast as the server stores them.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/evalrpc/evalrpc/clients/go"
)

// rows yields items one at a time; an error would end the upload.
func rows(yield func(evalrpc.Item, error) bool) {
	for number := range 10_000 {
		item := evalrpc.Item{
			ID:             fmt.Sprintf("row-%d", number),
			Input:          map[string]any{"n": 1<<60 + number},
			ExpectedOutput: evalrpc.JSON("null"), // JSON text is sent as it is
			Metadata:       map[string]any{"even": number%2 == 0},
		}
		if !yield(item, nil) {
			return
		}
	}
}

func same(_ context.Context, item evalrpc.TaskItem) (any, error) { return item.Input, nil }

func main() {
	client, err := evalrpc.NewClient("")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	upload, err := client.Upload(ctx, rows, "numbers")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("uploaded", upload.ItemCount)
	run, err := client.Run(ctx, evalrpc.RunOptions{
		Name: "Few of many", Data: upload, Task: evalrpc.TaskFunc(same), DryRunItems: 3,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	result, err := run.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var output struct{ N int64 }
	if err := result.ItemResults[2].Output.Decode(&output); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.ItemResults), "results, the last one exactly", output.N)
}

// Command follow shows what happens to an experiment as it happens, with a progress bar where there is a terminal.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/evalrpc/evalrpc/clients/go"
)

func double(_ context.Context, number int) (int, error) { return 2 * number, nil }

func main() {
	client, err := evalrpc.NewClient("")
	if err != nil {
		log.Fatal(err)
	}
	run, err := client.Run(context.Background(), evalrpc.RunOptions{
		Name: "Followed",
		Data: evalrpc.Items{{Input: 1}, {Input: 2}, {Input: 3}},
		Task: evalrpc.TypedTask(double),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	bar := evalrpc.NewProgress(os.Stderr)
	defer bar.Close()
	for event, err := range run.Events() {
		if err != nil {
			log.Fatal(err)
		}
		bar.Update(event)
		if result := event.ItemResult; result != nil {
			fmt.Println("item", result.Item.Index, "gave", result.Output)
		}
	}
}

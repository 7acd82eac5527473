package testserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var langfuseReady = regexp.MustCompile(`^langfuse stand-in (\S+) control (\S+) keys (\S+):(\S+)$`)

// Langfuse is the repository's stand-in for a Langfuse server.
type Langfuse struct {
	command *exec.Cmd
	control string
	// Environment that has a server use it.
	Environment []string
}

// StartLangfuse runs the stand-in with a dataset of the given items in its JSON form.
func StartLangfuse(dataset string, items ...map[string]any) (*Langfuse, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	python := program[0]
	if !strings.Contains(filepath.Base(python), "python") {
		python = filepath.Join(filepath.Dir(python), "python")
	}
	root, err := repository()
	if err != nil {
		return nil, err
	}
	command := exec.Command(python, "-m", "tests.standins.langfuse")
	command.Dir = root
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	made := &Langfuse{command: command}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if match := langfuseReady.FindStringSubmatch(lines.Text()); match != nil {
			made.control = match[2]
			made.Environment = []string{
				"LANGFUSE_BASE_URL=" + match[1], "LANGFUSE_PUBLIC_KEY=" + match[3], "LANGFUSE_SECRET_KEY=" + match[4],
			}
			return made, made.load(dataset, items)
		}
	}
	made.Stop()
	return nil, errors.New("the Langfuse stand-in did not start")
}

// Stop ends it.
func (l *Langfuse) Stop() {
	_ = l.command.Process.Kill() // errors say that it has ended
	_ = l.command.Wait()
}

func (l *Langfuse) load(dataset string, items []map[string]any) error {
	body, err := json.Marshal(map[string]any{"name": dataset, "items": items})
	if err != nil {
		return err
	}
	response, err := http.Post(l.control+"/__standin/load", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // nothing of it is read
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("loading the dataset: %s", response.Status)
	}
	return nil
}

// repository returns the folder that holds the whole project.
func repository() (string, error) {
	folder, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(folder, "tests", "standins")); missing == nil {
			return folder, nil
		}
		if parent := filepath.Dir(folder); parent != folder {
			folder = parent
			continue
		}
		return "", errors.New("these tests need the whole repository")
	}
	return "", err
}

// Package main runs queries of Loki over lines: each line of the input is a query with lines, and each of the output an
// error or the numbers of the lines that come through the query's pipeline.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/grafana/loki/v3/pkg/logql/syntax"
	"github.com/prometheus/prometheus/model/labels"
)

type question struct {
	Query string   `json:"query"`
	Lines []string `json:"lines"`
}

type answer struct {
	Error string `json:"error,omitempty"`
	Found []int  `json:"found"`
}

func ask(q question) (a answer) {
	a.Found = []int{}
	expr, err := syntax.ParseExpr(q.Query)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	logs, ok := expr.(syntax.LogSelectorExpr)
	if !ok {
		return a
	}
	pipeline, err := logs.Pipeline()
	if err != nil {
		a.Error = err.Error()
		return a
	}
	stream := pipeline.ForStream(labels.FromStrings("job", "windows"))
	for i, line := range q.Lines {
		if _, _, found := stream.ProcessString(0, line, labels.EmptyLabels()); found {
			a.Found = append(a.Found, i)
		}
	}
	return a
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		if err := out.Encode(ask(q)); err != nil {
			panic(err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/fatih/color"

	"github.com/vppkit/vppkit/examples/pretty"
	"github.com/vppkit/vppkit/vppnet"
)

// asJSON writes the things as one JSON array.
func asJSON(out io.Writer, all []thing) error {
	if all == nil {
		all = []thing{}
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// table writes a line for each thing.
func table(out io.Writer, all []thing) error {
	var rows []pretty.Row
	for _, t := range all {
		rows = append(rows, pretty.Row{
			Cells: []string{t.Owner, t.Kind, t.Name, fmt.Sprint(t.ID), t.VPP, t.State, t.fields()}, Paint: t.paint(),
		})
	}
	return pretty.Table(out, []string{"OWNER", "KIND", "NAME", "ID", "IN VPP", "STATE", "WITH"}, rows)
}

// tree writes below each thing what hangs on it, and so one that hangs on several below each of
// them; below each owner what hangs on nothing, or on what is not listed.
func tree(out io.Writer, all []thing) error {
	listed, below := map[string]bool{}, map[string][]thing{}
	for _, t := range all {
		listed[t.ref()] = true
	}
	roots, owners := map[string][]thing{}, []string{}
	for _, t := range all {
		root := true
		for _, on := range t.on {
			if listed[on] && on != t.ref() {
				below[on] = append(below[on], t)
				root = false
			}
		}
		if root {
			roots[t.Owner] = append(roots[t.Owner], t)
		}
		if !slices.Contains(owners, t.Owner) {
			owners = append(owners, t.Owner)
		}
	}
	var err error
	line := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(out, format+"\n", args...)
		}
	}
	var branch func(indent string, things []thing)
	branch = func(indent string, things []thing) {
		for i, t := range things {
			fork, next := "├─ ", "│  "
			if i == len(things)-1 {
				fork, next = "└─ ", "   "
			}
			line("%s", indent+fork+strings.Join(strings.Fields(t.Kind+" "+t.Name+" "+t.State), " "))
			if len(indent) < 100 { // who hangs on himself ends somewhere
				branch(indent+next, below[t.ref()])
			}
		}
	}
	for _, o := range owners {
		line("%s", o)
		branch("", roots[o])
	}
	return err
}

var (
	broken  = color.New(color.FgRed)
	foreign = color.New(color.Faint)
)

func (t thing) paint() *color.Color {
	switch {
	case strings.HasPrefix(t.State, "broken"):
		return broken
	case t.Owner == nobody:
		return foreign
	}
	return nil
}

// fields is what a spec has beside its name, in a few words.
func (t thing) fields() string {
	if i, ok := t.Spec.(vppnet.Interface); ok {
		return i.Device
	}
	return strings.Join(fields(reflect.ValueOf(t.Spec)), " ")
}

// fields are those of a struct that are not zero.
func fields(v reflect.Value) (words []string) {
	for i := range v.NumField() {
		f, x := v.Type().Field(i), v.Field(i)
		switch {
		case !f.IsExported() || f.Name == "Name" || f.Name == "After" || x.IsZero():
		case x.Kind() == reflect.Bool:
			words = append(words, f.Name)
		default:
			words = append(words, f.Name+"="+value(x))
		}
	}
	return words
}

// value is a value in its own words, if it has some.
func value(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case fmt.Stringer:
		return x.String()
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return string(text)
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		return "{" + strings.Join(fields(v), " ") + "}"
	case reflect.Slice, reflect.Array:
		var all []string
		for i := range v.Len() {
			all = append(all, value(v.Index(i)))
		}
		return "[" + strings.Join(all, " ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Outside of tests no file is longer than a stranger reads in one go, and no function than a
// screen or two; a test file holds one idea.
func TestNothingIsTooLong(t *testing.T) {
	const longestFile, longestFunc = 450, 90
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil || ast.IsGenerated(f) {
			return err
		}
		if n := fset.Position(f.FileEnd).Line; n > longestFile {
			t.Errorf("%s has %d lines, want at most %d", path, n, longestFile)
		}
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				if n := 1 + fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line; n > longestFunc {
					t.Errorf("%s: %s has %d lines, want at most %d", path, fn.Name, n, longestFunc)
				}
			}
		}
		return nil
	}))
}

// Every module that the library's users come to have is argued for in ARCHITECTURE.
func TestModulesAreArguedFor(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	require.NoError(t, err)
	_, said, ok := strings.Cut(string(text), "\n## Modules\n")
	require.True(t, ok)
	said, _, _ = strings.Cut(said, "\n## ")
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([^` ]+/[^` ]+)`").FindAllStringSubmatch(said, -1) {
		named[strings.TrimPrefix(m[1], "github.com/")] = true
	}

	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(string(mod), -1) {
		if m[2] == "" { // a row of its own says what it is for
			require.Contains(t, said, "\n| `"+m[1]+"` | ", "go.mod has it")
		}
		require.True(t, named[strings.TrimPrefix(m[1], "github.com/")], "go.mod has %s", m[1])
	}

	all, err := goList("-m", "all")
	if err != nil {
		t.Skipf("THE MODULES CANNOT BE LISTED, AS THEIR go.mod FILES CANNOT BE HAD: %v", err)
	}
	for line := range strings.Lines(all) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		if version != "" { // else it is this one
			require.True(t, named[strings.TrimPrefix(path, "github.com/")], "go list -m all has %s", path)
		}
	}
}

// What is built into a program that imports the library is those four that ARCHITECTURE says.
func TestLittleIsBuilt(t *testing.T) {
	args := []string{"-deps", "-f", "{{with .Module}}{{.Path}}{{end}}"}
	for _, dir := range library(t) {
		if dir != filepath.Join("desiredstate", "kindtest") {
			args = append(args, "./"+dir)
		}
	}
	out, err := goList(args...)
	require.NoError(t, err)
	modules := strings.Fields(out)
	slices.Sort(modules)
	require.Equal(t, []string{
		"github.com/cenkalti/backoff/v4", "github.com/google/go-cmp", "github.com/lunixbochs/struc", "github.com/vppkit/vppkit", "go.fd.io/govpp",
	}, slices.Compact(modules))
}

// goList is what go list says of the library alone.
func goList(args ...string) (string, error) {
	list := exec.Command("go", append([]string{"list"}, args...)...)
	list.Env = append(os.Environ(), "GOWORK=off")
	out, err := list.Output()
	return string(out), err
}

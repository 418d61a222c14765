// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// library lists the directories of the packages that users import.
func library(t *testing.T) (dirs []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch name := d.Name(); {
		case path == ".":
			return nil
		case name == "internal", name == "examples", name == "docs", name == "testdata", strings.HasPrefix(name, "."):
			return filepath.SkipDir
		}
		if sources, err := filepath.Glob(filepath.Join(path, "*.go")); err != nil || len(sources) > 0 {
			dirs = append(dirs, path)
			return err
		}
		return nil
	}))
	require.Greater(t, len(dirs), 10)
	return dirs
}

// parsed are the files of a package, and those of its tests.
func parsed(t *testing.T, dir string) (files, tests []*ast.File) {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range sources {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		require.NoError(t, err)
		if strings.HasSuffix(path, "_test.go") {
			tests = append(tests, f)
		} else {
			files = append(files, f)
		}
	}
	return files, tests
}

// makesKind says whether a function makes a kind.
func makesKind(f *ast.FuncDecl) bool {
	if f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
		return false
	}
	for _, r := range f.Type.Results.List {
		if p, ok := r.Type.(*ast.StarExpr); ok {
			if i, ok := p.X.(*ast.IndexExpr); ok {
				if s, ok := i.X.(*ast.SelectorExpr); ok && s.Sel.Name == "Kind" {
					return true
				}
			}
		}
	}
	return false
}

// constructor says whether a function makes what users begin with: a kind, or a value of its own.
func constructor(f *ast.FuncDecl) bool {
	name := f.Name.Name
	return makesKind(f) || f.Recv == nil && f.Type.Results != nil &&
		(strings.HasPrefix(name, "New") || name == "Dial" || name == "Follow" || strings.HasPrefix(name, "Start"))
}

// Who lists what is in a VPP knows every kind of the library.
func TestVpplsKnowsAllKinds(t *testing.T) {
	known, err := os.ReadFile("examples/vppls/kinds.go")
	require.NoError(t, err)
	reader, err := os.ReadFile("examples/vppls/read.go") // which has those of interfaces
	require.NoError(t, err)
	text := string(known) + string(reader)
	n := 0
	for _, dir := range library(t) {
		files, _ := parsed(t, dir)
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !makesKind(fn) || fn.Type.TypeParams != nil { // these complete one of somebody's own
					continue
				}
				n++
				require.Contains(t, text, f.Name.Name+"."+fn.Name.Name+"(", dir)
			}
		}
	}
	require.Greater(t, n, 60)
}

// elsewhere are constructors that no Example of the library can call, and why.
var elsewhere = map[string]string{
	"vpptest.StartReal": "it wants an installed VPP",
	"vppnet.Tagged":     "it completes a kind of one's own: examples/ownkind, which CONTRIBUTING explains",
}

// ofTests says whether a function is for tests, and so for no Example.
func ofTests(f *ast.FuncDecl) bool {
	if len(f.Type.Params.List) == 0 {
		return false
	}
	s, ok := f.Type.Params.List[0].Type.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "TB"
}

// Every constructor is called by an Example whose output is checked.
func TestConstructorsHaveExamples(t *testing.T) {
	called := map[string]bool{} // by any Example, of whichever package
	all := map[string][]string{}
	for _, dir := range library(t) {
		files, tests := parsed(t, dir)
		name := files[0].Name.Name
		for _, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && constructor(fn) && !ofTests(fn) {
					all[dir] = append(all[dir], name+"."+fn.Name.Name)
				}
			}
		}
		for _, x := range doc.Examples(tests...) {
			if x.Output == "" && !x.EmptyOutput {
				continue
			}
			code := x.Code
			if x.Play != nil {
				code = x.Play
			}
			ast.Inspect(code, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if p, ok := s.X.(*ast.Ident); ok {
						called[p.Name+"."+s.Sel.Name] = true
					}
				}
				return true
			})
		}
	}
	for dir, names := range all {
		for _, name := range names {
			if !called[name] && elsewhere[name] == "" {
				t.Errorf("%s: no Example with output calls %s", dir, name)
			}
		}
	}
}

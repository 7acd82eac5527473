package evalrpc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryPublicNameIsDocumented reads the sources of the packages that users import.
func TestEveryPublicNameIsDocumented(t *testing.T) {
	for _, folder := range []string{".", "evalrpctest"} {
		sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(sources) == 0 {
			t.Fatal(folder, err)
		}
		files, documented := token.NewFileSet(), false
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(files, source, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || file.Doc != nil
			for _, place := range undocumented(file) {
				t.Errorf("%s: has no comment", files.Position(place))
			}
		}
		if !documented {
			t.Errorf("package %s has no comment", folder)
		}
	}
}

func TestANameWithoutACommentIsFound(t *testing.T) {
	source := "package x\n\n// T is one.\ntype T struct{ A, b int }\n\nfunc F() {}\n\nfunc (t T) M() {}\n\nconst C = 1\n"
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "names without a comment", len(undocumented(file)), 4)
}

// undocumented returns where a file declares exported names without a comment.
func undocumented(file *ast.File) []token.Pos {
	var places []token.Pos
	check := func(name *ast.Ident, comments ...*ast.CommentGroup) {
		for _, comment := range comments {
			if comment.Text() != "" {
				return
			}
		}
		if name.IsExported() {
			places = append(places, name.Pos())
		}
	}
	fields := func(list *ast.FieldList) {
		for _, field := range list.List {
			for _, name := range field.Names {
				check(name, field.Doc, field.Comment)
			}
		}
	}
	for _, declaration := range file.Decls {
		switch declared := declaration.(type) {
		case *ast.FuncDecl:
			if declared.Recv == nil || exported(declared.Recv.List[0].Type) {
				check(declared.Name, declared.Doc)
			}
		case *ast.GenDecl:
			for _, each := range declared.Specs {
				switch spec := each.(type) {
				case *ast.TypeSpec:
					check(spec.Name, spec.Doc, declared.Doc)
					if structure, ok := spec.Type.(*ast.StructType); ok && spec.Name.IsExported() {
						fields(structure.Fields)
					}
					if methods, ok := spec.Type.(*ast.InterfaceType); ok && spec.Name.IsExported() {
						fields(methods.Methods)
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						check(name, spec.Doc, spec.Comment, declared.Doc)
					}
				}
			}
		}
	}
	return places
}

// exported tells whether the type of a receiver is.
func exported(receiver ast.Expr) bool {
	switch kind := receiver.(type) {
	case *ast.StarExpr:
		return exported(kind.X)
	case *ast.IndexExpr:
		return exported(kind.X)
	case *ast.Ident:
		return kind.IsExported()
	}
	return false
}

// Executes the templates of a chart with the two libraries that Helm's own engine stands on: Go's text/template and sprig.
//
// This is not Helm. What Helm adds to these libraries is not here but for five functions and Files.Get, which are written anew below; its
// merging of values, its check of them by the schema, its lint and its installing are not here at all. What this can find are
// templates that do not parse, functions that do not exist, values that are not there, and output that is no good YAML.
// Functions whose result is another each time do not exist here, though Helm has them.
//
//	gotemplate CHART <RELEASE.json        {"Values": …, "Release": …, "Chart": …}; prints every file's output
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(chart string) error {
	var release map[string]interface{}
	if err := json.NewDecoder(os.Stdin).Decode(&release); err != nil {
		return err
	}
	release["Files"] = files(chart)
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(repeatable()).Funcs(added(all))
	templates, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		return err
	}
	for _, file := range templates {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := all.New(filepath.Base(file)).Parse(string(text)); err != nil {
			return err
		}
	}
	for _, file := range templates {
		if name := filepath.Base(file); !strings.HasPrefix(name, "_") {
			text, err := execute(all, name, release)
			if err != nil {
				return err
			}
			fmt.Printf("---\n# Source: %s\n%s\n", name, text)
		}
	}
	return nil
}

// Sprig's own notion of that leaves out a few.
func repeatable() template.FuncMap {
	functions := sprig.HermeticTxtFuncMap()
	for _, name := range []string{"ago", "bcrypt", "encryptAES", "htpasswd", "randInt", "shuffle"} {
		delete(functions, name)
	}
	for name := range functions {
		if strings.HasPrefix(name, "gen") {
			delete(functions, name)
		}
	}
	return functions
}

type files string

func (chart files) Get(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(chart), name))
	return string(text), err
}

func added(all *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data interface{}) (string, error) { return execute(all, name, data) },
		"tpl": func(text string, data interface{}) (string, error) {
			clone, err := all.Clone()
			if err != nil {
				return "", err
			}
			if _, err := clone.New("tpl").Parse(text); err != nil {
				return "", err
			}
			return execute(clone, "tpl", data)
		},
		"required": func(message string, value interface{}) (interface{}, error) {
			if value == nil || value == "" {
				return nil, fmt.Errorf("%s", message)
			}
			return value, nil
		},
		"fromYaml": func(text string) (map[string]interface{}, error) {
			var value map[string]interface{}
			return value, yaml.Unmarshal([]byte(text), &value)
		},
		"toYaml": func(value interface{}) (string, error) {
			text, err := yaml.Marshal(value)
			return strings.TrimSuffix(string(text), "\n"), err
		},
	}
}

func execute(all *template.Template, name string, data interface{}) (string, error) {
	var text strings.Builder
	err := all.ExecuteTemplate(&text, name, data)
	return strings.ReplaceAll(text.String(), "<no value>", ""), err
}

package explore

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// constants are the names of values that a scenario would not spell out.
var constants = map[any]string{
	fault.Upstream: "fault.Upstream", fault.Downstream: "fault.Downstream",
	fault.ByReset: "fault.ByReset", fault.HostUnreachable: "fault.HostUnreachable", fault.FirewallProhibits: "fault.FirewallProhibits",
	fault.Dropped: "fault.Dropped", fault.Refused: "fault.Refused", fault.Paused: "fault.Paused", fault.Killed: "fault.Killed",
	fault.ServFail: "fault.ServFail", fault.NXDomain: "fault.NXDomain", fault.NameSilent: "fault.NameSilent",
}

// golang writes a fault as a scenario has it, without the fields that are zero. Links do
// not say what they were made of: that is the aim.
func (f Fault) golang() string { return golang(reflect.ValueOf(f.Of), f.Aim) }

func golang(v reflect.Value, a Aim) string {
	if v.Kind() == reflect.String {
		return constants[v.Interface()]
	}
	switch value := v.Interface().(type) {
	case fault.Links:
		return a.golang()
	case time.Duration:
		return duration(value)
	case topology.Node:
		return node(value.Name)
	}
	switch v.Kind() {
	case reflect.Slice:
		elements := make([]string, v.Len())
		for i := range elements {
			elements[i] = golang(v.Index(i), a)
			if v.Type().Elem().Kind() == reflect.Slice { // whose type the outer one says
				elements[i] = strings.TrimPrefix(elements[i], v.Type().Elem().String())
			}
		}
		return v.Type().String() + "{" + strings.Join(elements, ", ") + "}"
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if field := v.Field(i); !field.IsZero() {
				if field.Kind() == reflect.Interface {
					field = field.Elem()
				}
				fields = append(fields, v.Type().Field(i).Name+": "+golang(field, a))
			}
		}
		return v.Type().String() + "{" + strings.Join(fields, ", ") + "}"
	case reflect.Int64: // bytes
		return grouped(v.Int())
	default:
		return fmt.Sprint(v.Interface())
	}
}

// golang writes links.
func (a Aim) golang() string {
	ports := make([]string, len(a.Ports))
	for i, p := range a.Ports {
		ports[i] = strconv.Itoa(p)
	}
	return fmt.Sprintf("fault.From(%s).To(%s).Port(%s)", nodes(a.Clients), nodes(a.Servers), strings.Join(ports, ", "))
}

func node(name string) string { return fmt.Sprintf("bed.Node(%q)", name) }

func nodes(names []string) string {
	calls := make([]string, len(names))
	for i, name := range names {
		calls[i] = node(name)
	}
	return strings.Join(calls, ", ")
}

func quoted(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = strconv.Quote(name)
	}
	return strings.Join(words, ", ")
}

func duration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d * time.Second", d/time.Second)
	}
	return fmt.Sprintf("%d * time.Millisecond", d/time.Millisecond)
}

// grouped writes a number in groups of three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "_" + text[i:]
	}
	return text
}

package child

import (
	"container/heap"
	"time"

	"github.com/dop251/goja"
)

// maxTimerDelay is the longest delay of a timer: longer ones never come within a run.
const maxTimerDelay = 24 * time.Hour

// timers are the timers of one run, ordered by their time and then by their making.
type timers struct {
	queue timerQueue
	byID  map[int64]*timer
	last  int64
}

type timer struct {
	id    int64
	due   time.Time
	f     goja.Callable
	args  []goja.Value
	index int
}

// install adds setTimeout, clearTimeout and queueMicrotask to the scope.
func (t *timers) install(s *scope) {
	t.byID = map[int64]*timer{}
	_ = s.Set("setTimeout", func(call goja.FunctionCall) goja.Value {
		f, ok := goja.AssertFunction(call.Argument(0))
		if !ok {
			panic(s.NewTypeError("setTimeout takes a function"))
		}
		delay := time.Duration(min(max(call.Argument(1).ToFloat(), 0), float64(maxTimerDelay/time.Millisecond)) * float64(time.Millisecond))
		t.last++
		one := &timer{id: t.last, due: time.Now().Add(delay), f: f}
		if len(call.Arguments) > 2 {
			one.args = append(one.args, call.Arguments[2:]...)
		}
		t.byID[one.id] = one
		heap.Push(&t.queue, one)
		return s.ToValue(one.id)
	})
	_ = s.Set("clearTimeout", func(call goja.FunctionCall) goja.Value {
		id, _ := call.Argument(0).Export().(int64)
		if one := t.byID[id]; one != nil {
			heap.Remove(&t.queue, one.index)
			delete(t.byID, id)
		}
		return goja.Undefined()
	})
	resolved, resolve, _ := s.NewPromise()
	_ = resolve(nil)
	then, _ := goja.AssertFunction(s.ToValue(resolved).(*goja.Object).Get("then"))
	_ = s.Set("queueMicrotask", func(call goja.FunctionCall) goja.Value {
		if _, ok := goja.AssertFunction(call.Argument(0)); !ok {
			panic(s.NewTypeError("queueMicrotask takes a function"))
		}
		f := call.Argument(0)
		run, _ := goja.AssertFunction(f)
		job := func(goja.FunctionCall) goja.Value {
			if _, err := run(goja.Undefined()); err != nil {
				panic(err)
			}
			return goja.Undefined()
		}
		if _, err := then(s.ToValue(resolved), s.ToValue(job)); err != nil {
			panic(err)
		}
		return goja.Undefined()
	})
}

// next gives the time until the first timer; ok is false when there is none.
func (t *timers) next() (in time.Duration, ok bool) {
	if len(t.queue) == 0 {
		return 0, false
	}
	return time.Until(t.queue[0].due), true
}

// fire runs the first timer if it is due. What its function throws comes back as error.
func (t *timers) fire() (fired bool, err error) {
	if in, ok := t.next(); !ok || in > 0 {
		return false, nil
	}
	one := heap.Pop(&t.queue).(*timer)
	delete(t.byID, one.id)
	_, err = one.f(goja.Undefined(), one.args...)
	return true, err
}

// timerQueue implements heap.Interface.
type timerQueue []*timer

func (q *timerQueue) Len() int { return len(*q) }
func (q *timerQueue) Less(i, j int) bool {
	a, b := (*q)[i], (*q)[j]
	if a.due.Equal(b.due) {
		return a.id < b.id
	}
	return a.due.Before(b.due)
}
func (q *timerQueue) Swap(i, j int) {
	queue := *q
	queue[i], queue[j] = queue[j], queue[i]
	queue[i].index, queue[j].index = i, j
}
func (q *timerQueue) Push(x any) {
	t := x.(*timer)
	t.index = len(*q)
	*q = append(*q, t)
}
func (q *timerQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

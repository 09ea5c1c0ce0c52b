package child

import (
	"container/heap"
	"time"

	"github.com/dop251/goja"
)

// maxTimerDelay is the longest delay of a timer: longer ones never come within a run.
const maxTimerDelay = 24 * time.Hour

// minInterval is the least time between two calls of an interval, so that the script's other work gets its turn.
const minInterval = time.Millisecond

// timers are the timers of one run, ordered by their time on the run's clock and then by their making: so they fire in the same order in every repetition.
type timers struct {
	queue timerQueue
	byID  map[int64]*timer
	last  int64
	clock *clock
}

type timer struct {
	id    int64
	at    time.Time // by the run's clock
	due   time.Time // by the machine's
	f     goja.Callable
	args  []goja.Value
	every time.Duration // of an interval; 0 for a timeout
	index int           // in the queue; -1 while it is in none
}

// install adds setTimeout, setInterval, their clear functions and queueMicrotask to the scope, made when they are first named.
func (t *timers) install(s *scope) {
	t.clock = s.clock
	clearer := func() goja.Value { return s.ToValue(t.clear(s)) }
	s.globals.Provide("setTimeout", func() goja.Value { return s.ToValue(t.set(s, "setTimeout", false)) })
	s.globals.Provide("setInterval", func() goja.Value { return s.ToValue(t.set(s, "setInterval", true)) })
	s.globals.Provide("clearTimeout", clearer)
	s.globals.Provide("clearInterval", clearer)
	s.globals.Provide("queueMicrotask", func() goja.Value { return s.ToValue(queueMicrotask(s)) })
}

type native = func(goja.FunctionCall) goja.Value

// set makes setTimeout or setInterval.
func (t *timers) set(s *scope, name string, again bool) native {
	return func(call goja.FunctionCall) goja.Value {
		f, ok := goja.AssertFunction(call.Argument(0))
		if !ok {
			panic(s.NewTypeError(name + " takes a function"))
		}
		delay := time.Duration(min(max(call.Argument(1).ToFloat(), 0), float64(maxTimerDelay/time.Millisecond)) * float64(time.Millisecond))
		t.last++
		one := &timer{id: t.last, f: f}
		if again {
			one.every = max(delay, minInterval)
		}
		if len(call.Arguments) > 2 {
			one.args = append(one.args, call.Arguments[2:]...)
		}
		t.start(one, delay)
		return s.ToValue(one.id)
	}
}

// start puts a timer into the queue.
func (t *timers) start(one *timer, delay time.Duration) {
	if t.byID == nil {
		t.byID = map[int64]*timer{}
	}
	one.at, one.due = t.clock.now.Add(delay), time.Now().Add(delay)
	t.byID[one.id] = one
	heap.Push(&t.queue, one)
}

// clear makes clearTimeout and clearInterval, which are the same.
func (t *timers) clear(s *scope) native {
	return func(call goja.FunctionCall) goja.Value {
		id, _ := call.Argument(0).Export().(int64)
		if one := t.byID[id]; one != nil {
			if one.index >= 0 {
				heap.Remove(&t.queue, one.index)
			}
			delete(t.byID, id)
		}
		return goja.Undefined()
	}
}

func queueMicrotask(s *scope) native {
	resolved, resolve, _ := s.NewPromise()
	_ = resolve(nil)
	then, _ := goja.AssertFunction(s.ToValue(resolved).(*goja.Object).Get("then"))
	return func(call goja.FunctionCall) goja.Value {
		run, ok := goja.AssertFunction(call.Argument(0))
		if !ok {
			panic(s.NewTypeError("queueMicrotask takes a function"))
		}
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
	}
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
	if one.every == 0 {
		delete(t.byID, one.id)
	}
	t.clock.advance(one.at)
	_, err = one.f(goja.Undefined(), one.args...)
	if one.every > 0 && t.byID[one.id] != nil && err == nil {
		t.start(one, one.every)
	}
	return true, err
}

// timerQueue implements heap.Interface.
type timerQueue []*timer

func (q *timerQueue) Len() int { return len(*q) }
func (q *timerQueue) Less(i, j int) bool {
	a, b := (*q)[i], (*q)[j]
	if a.at.Equal(b.at) {
		return a.id < b.id
	}
	return a.at.Before(b.at)
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
	last.index = -1
	*q = old[:len(old)-1]
	return last
}

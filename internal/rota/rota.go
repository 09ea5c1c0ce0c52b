// Package rota has apps take turns, wherever less goes at a time than wants to: so that what one app waits for is one of every other app, and never all that
// another one has waiting.
package rota

import "slices"

// Rota is what waits, by app, and how much of each app has begun. Apps take turns: one of each, then the second of each, whenever they came; those of one app go
// in the order of their coming. No app has all places: there is room for another one's, which does not wait for the end of anything. It is for one goroutine
// at a time.
type Rota[T any] struct {
	order   []string // the apps that have something waiting, the next one first
	waiting map[string][]T
	size    int            // of all in waiting
	begun   map[string]int // and not ended, by app
	sum     int            // of begun
}

// New makes an empty rota.
func New[T any]() *Rota[T] {
	return &Rota[T]{waiting: map[string][]T{}, begun: map[string]int{}}
}

// Add has something of an app wait for its turn.
func (r *Rota[T]) Add(app string, one T) {
	if len(r.waiting[app]) == 0 {
		r.order = append(r.order, app)
	}
	r.waiting[app] = append(r.waiting[app], one)
	r.size++
}

// may says whether the app may begin one more, where so many may go at a time.
func (r *Rota[T]) may(app string, places int) bool {
	return r.sum < places && r.begun[app] < max(places-1, 1)
}

// Next is what has its turn, where so many may go at a time; false when all places are taken, when nothing waits, or when each app that waits has places enough.
func (r *Rota[T]) Next(places int) (app string, one T, ok bool) {
	i := slices.IndexFunc(r.order, func(app string) bool { return r.may(app, places) })
	if i < 0 {
		return "", one, false
	}
	app = r.order[i]
	return app, r.waiting[app][0], true
}

// Begin takes away what the app has waiting first, which gets a place: the app is the last to have another turn.
func (r *Rota[T]) Begin(app string) {
	r.take(app)
	r.drop(app, 0)
	if i := slices.Index(r.order, app); i >= 0 {
		r.order = append(slices.Delete(r.order, i, i+1), app)
	}
}

// BeginNow gives a place to something of the app that has not waited, if there is one for it.
func (r *Rota[T]) BeginNow(app string, places int) bool {
	if !r.may(app, places) {
		return false
	}
	r.take(app)
	return true
}

func (r *Rota[T]) take(app string) {
	r.begun[app]++
	r.sum++
}

// End gives a place of the app back.
func (r *Rota[T]) End(app string) {
	r.sum--
	if r.begun[app]--; r.begun[app] == 0 {
		delete(r.begun, app)
	}
}

// Remove takes away the first that is the one, among what the app has waiting; false if it waits no more.
func (r *Rota[T]) Remove(app string, is func(T) bool) bool {
	i := slices.IndexFunc(r.waiting[app], is)
	if i >= 0 {
		r.drop(app, i)
	}
	return i >= 0
}

// drop takes away the i-th that the app has waiting.
func (r *Rota[T]) drop(app string, i int) {
	r.size--
	if len(r.waiting[app]) > 1 {
		r.waiting[app] = slices.Delete(r.waiting[app], i, i+1)
		return
	}
	delete(r.waiting, app)
	r.order = slices.DeleteFunc(r.order, func(a string) bool { return a == app })
}

// Rest takes away all that waits.
func (r *Rota[T]) Rest() []T {
	var all []T
	for _, app := range r.order {
		all = append(all, r.waiting[app]...)
	}
	r.order, r.size = nil, 0
	clear(r.waiting)
	return all
}

// Waiting is how much waits.
func (r *Rota[T]) Waiting() int { return r.size }

// Begun is how many places are taken.
func (r *Rota[T]) Begun() int { return r.sum }

// Apps are the apps that have something waiting.
func (r *Rota[T]) Apps() []string { return slices.Clone(r.order) }

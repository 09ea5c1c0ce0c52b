package dispatch

import "slices"

// rota is what is claimed and not begun, and how much of each app is on its way. Apps take turns: one of each, then the second of each, whenever they came; those of one app go in the order of
// their coming. No app has all that may be on their way: there is room for another one's, which does not wait for the end of anything.
type rota struct {
	apps    []string // that have something here, the next one first
	waiting map[string][]claim
	size    int
	begun   map[string]int // on their way, by app
	flying  int            // on their way
}

func newRota() *rota {
	return &rota{waiting: make(map[string][]claim), begun: make(map[string]int)}
}

func (r *rota) add(claims ...claim) {
	for _, c := range claims {
		app := c.firing.AppID
		if len(r.waiting[app]) == 0 {
			r.apps = append(r.apps, app)
		}
		r.waiting[app] = append(r.waiting[app], c)
		r.size++
	}
}

// next is the one whose turn it is, where so many may be on their way; there is none when that many are, when nothing waits, or when each app that has something here has enough on its way.
func (r *rota) next(most int) (claim, bool) {
	if r.flying >= most {
		return claim{}, false
	}
	i := slices.IndexFunc(r.apps, func(app string) bool { return r.begun[app] < max(most-1, 1) })
	if i < 0 {
		return claim{}, false
	}
	return r.waiting[r.apps[i]][0], true
}

// begin takes away what next has given: its app is the last to have another turn.
func (r *rota) begin(c claim) {
	app := c.firing.AppID
	r.begun[app]++
	r.flying++
	r.size--
	i := slices.Index(r.apps, app)
	r.apps = slices.Delete(r.apps, i, i+1)
	if left := r.waiting[app][1:]; len(left) > 0 {
		r.waiting[app] = left
		r.apps = append(r.apps, app)
		return
	}
	delete(r.waiting, app)
}

// arrive ends the way of one of the app.
func (r *rota) arrive(app string) {
	r.flying--
	if r.begun[app]--; r.begun[app] == 0 {
		delete(r.begun, app)
	}
}

// rest takes away all that waits.
func (r *rota) rest() []claim {
	var all []claim
	for _, app := range r.apps {
		all = append(all, r.waiting[app]...)
	}
	r.apps, r.size = nil, 0
	clear(r.waiting)
	return all
}

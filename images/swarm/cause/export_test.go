package cause

// All are the causes that are believed.
var All = all

//! Nothing but a list of dependencies: it turns on one set of features of third-party crates for every
//! package of the workspace, so that `-p` of any of them takes the burn that is already built.

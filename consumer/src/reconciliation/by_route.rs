//! One value for each route.

use std::ops::{Index, IndexMut};

use serde::Serialize;
use vote::Route;

/// One value for each route, in the order of the reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ByRoute<T> {
    rest: T,
    grpc: T,
    bridge: T,
}

impl<T> ByRoute<T> {
    /// Each route with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Route, &T)> {
        Route::ALL.into_iter().map(|route| (route, &self[route]))
    }
}

impl<T> Index<Route> for ByRoute<T> {
    type Output = T;

    fn index(&self, route: Route) -> &T {
        match route {
            Route::Rest => &self.rest,
            Route::Grpc => &self.grpc,
            Route::Bridge => &self.bridge,
        }
    }
}

impl<T> IndexMut<Route> for ByRoute<T> {
    fn index_mut(&mut self, route: Route) -> &mut T {
        match route {
            Route::Rest => &mut self.rest,
            Route::Grpc => &mut self.grpc,
            Route::Bridge => &mut self.bridge,
        }
    }
}

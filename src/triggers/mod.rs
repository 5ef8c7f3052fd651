//! What starts builds: so far a person or a program over the API. Each trigger ends in `builds::start`.

mod routes;

pub use routes::routes;

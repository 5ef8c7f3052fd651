//! Visual Studio's test results, `.trx`: what `dotnet test`, VSTest, MSTest and Microsoft's testing platform write.

mod definition;
mod outcome;
mod read;
mod result;
mod run;

pub(in crate::reports::parse) use read::read;

//! Properties of the rules that hold for every request.

mod bed;
mod every;
mod rules;

//! One pass over the events of one window.

use super::{DAY, Event, EventKind, HOUR, Measure, Moment};

/// Which lists the pass has to keep beside its counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    durations: bool,
    counterparts: bool,
    days: bool,
}

impl Needs {
    /// What the given measures need together.
    #[must_use]
    pub fn of(measures: impl IntoIterator<Item = Measure>) -> Self {
        let mut needs = Self::default();
        for measure in measures {
            match measure {
                Measure::DurationMean | Measure::DurationMedian | Measure::DurationP95 => {
                    needs.durations = true;
                }
                Measure::ActiveUsers | Measure::ActiveSops => needs.counterparts = true,
                Measure::StreakDays | Measure::LongestStreakDays => needs.days = true,
                _ => {}
            }
        }
        needs
    }
}

/// What happened in one window; buffers are reused from window to window.
#[derive(Debug, Clone, Default)]
pub struct WindowSummary {
    moment: Moment,
    length: i64,
    interactions: u64,
    views: u64,
    starts: u64,
    completions: u64,
    skips: u64,
    ratings: u64,
    rating_sum: f64,
    inspections: u64,
    quality_sum: f64,
    compliance: u64,
    compliance_sum: f64,
    /// Sum over completions in whole days of twice (day index - middle of the indices): an exact integer.
    slope_numerator: i128,
    last_completion: Option<i64>,
    last_interaction: Option<i64>,
    durations: Vec<f64>,
    counterparts: Vec<u32>,
    days: Vec<i32>,
}

impl WindowSummary {
    /// Summarizes `[as_of - length, as_of)` of one entity's events, which are sorted by `occurred_at`.
    ///
    /// Events that were not known at that moment are left out.
    pub fn scan(&mut self, events: &[Event], moment: Moment, length: i64, needs: Needs) {
        self.clear(moment, length);
        let start = moment.as_of.saturating_sub(length);
        let from = events.partition_point(|event| event.occurred_at < start);
        let to = events.partition_point(|event| event.occurred_at < moment.as_of);
        for event in events.get(from..to).unwrap_or_default() {
            if moment.knows(event.occurred_at, event.recorded_at) {
                self.add(event, needs);
            }
        }
        self.durations.sort_unstable_by(f64::total_cmp);
        self.counterparts.sort_unstable();
        self.counterparts.dedup();
        self.days.dedup();
    }

    fn clear(&mut self, moment: Moment, length: i64) {
        let (mut durations, mut counterparts, mut days) = (
            std::mem::take(&mut self.durations),
            std::mem::take(&mut self.counterparts),
            std::mem::take(&mut self.days),
        );
        durations.clear();
        counterparts.clear();
        days.clear();
        *self = Self {
            moment,
            length,
            durations,
            counterparts,
            days,
            ..Self::default()
        };
    }

    fn add(&mut self, event: &Event, needs: Needs) {
        if event.kind == EventKind::Compliance {
            if event.quality.is_finite() {
                self.compliance += 1;
                self.compliance_sum += event.quality;
            }
            return;
        }
        self.interactions += 1;
        self.last_interaction = Some(event.occurred_at);
        if event.rating.is_finite() {
            self.ratings += 1;
            self.rating_sum += event.rating;
        }
        if event.quality.is_finite() {
            self.inspections += 1;
            self.quality_sum += event.quality;
        }
        if needs.counterparts {
            self.counterparts.push(event.counterpart);
        }
        match event.kind {
            EventKind::View => self.views += 1,
            EventKind::Start => self.starts += 1,
            EventKind::Skip => self.skips += 1,
            EventKind::Complete => self.add_completion(event, needs),
            EventKind::Other | EventKind::Compliance => {}
        }
    }

    fn add_completion(&mut self, event: &Event, needs: Needs) {
        self.completions += 1;
        self.last_completion = Some(event.occurred_at);
        if needs.durations && event.duration_seconds.is_finite() && event.duration_seconds >= 0.0 {
            self.durations.push(event.duration_seconds);
        }
        if needs.days {
            self.days.push(event.local_day);
        }
        let blocks = self.length / DAY;
        let age = (self.moment.as_of - 1 - event.occurred_at) / DAY;
        if age < blocks {
            // Index from the oldest block is blocks - 1 - age; its distance from the middle, doubled, is whole.
            self.slope_numerator += i128::from(blocks - 1 - 2 * age);
        }
    }

    /// Whether anything at all was known in the window.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.interactions == 0 && self.compliance == 0
    }

    /// One value; `None` where the window does not determine it, and for measures that have no window.
    #[must_use]
    pub fn value(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::Interactions => Some(self.interactions as f64),
            Measure::Views => Some(self.views as f64),
            Measure::Starts => Some(self.starts as f64),
            Measure::Completions => Some(self.completions as f64),
            Measure::Skips => Some(self.skips as f64),
            Measure::Ratings => Some(self.ratings as f64),
            Measure::ActiveUsers | Measure::ActiveSops => Some(self.counterparts.len() as f64),
            Measure::CompletionRate => ratio(self.completions as f64, self.attempts()),
            Measure::SkipRate => ratio(self.skips as f64, self.attempts()),
            Measure::DurationMean => {
                ratio(self.durations.iter().sum(), self.durations.len() as u64)
            }
            Measure::DurationMedian => quantile(&self.durations, 0.5),
            Measure::DurationP95 => quantile(&self.durations, 0.95),
            Measure::RatingMean => ratio(self.rating_sum, self.ratings),
            Measure::QualityMean => ratio(self.quality_sum, self.inspections),
            Measure::ComplianceObservations => Some(self.compliance as f64),
            Measure::ComplianceMean => ratio(self.compliance_sum, self.compliance),
            Measure::CompletionsSlope => self.slope(),
            Measure::HoursSinceCompletion => self.hours_since(self.last_completion),
            Measure::HoursSinceInteraction => self.hours_since(self.last_interaction),
            Measure::StreakDays => Some(self.streaks().0 as f64),
            Measure::LongestStreakDays => Some(self.streaks().1 as f64),
            Measure::SkillLevel | Measure::ExperienceDays | Measure::Certifications => None,
        }
    }

    /// How often somebody set out to do it. Clients that record the end alone, or a skip without a start, still made an
    /// attempt, so that rates never exceed one.
    fn attempts(&self) -> u64 {
        self.starts.max(self.completions + self.skips)
    }

    /// Least-squares slope of the completions in the whole 24-hour blocks that end at `as_of`.
    fn slope(&self) -> Option<f64> {
        let blocks = self.length / DAY;
        if blocks < 2 {
            return None;
        }
        let blocks = blocks as f64;
        let sum_of_squares = blocks * (blocks * blocks - 1.0) / 12.0;
        Some(self.slope_numerator as f64 / 2.0 / sum_of_squares)
    }

    fn hours_since(&self, time: Option<i64>) -> Option<f64> {
        time.map(|time| (self.moment.as_of - time) as f64 / HOUR as f64)
    }

    /// The run that reaches `as_of` and the longest run. A run reaches `as_of` when its last day is that day or the day
    /// before: the day of `as_of` is not over yet.
    fn streaks(&self) -> (u32, u32) {
        let (mut run, mut longest) = (0, 0);
        let mut previous: Option<i32> = None;
        for &day in &self.days {
            run = if previous.and_then(|day| day.checked_add(1)) == Some(day) {
                run + 1
            } else {
                1
            };
            longest = longest.max(run);
            previous = Some(day);
        }
        let reaches = previous.is_some_and(|day| day >= self.moment.local_day.saturating_sub(1));
        (if reaches { run } else { 0 }, longest)
    }
}

fn ratio(numerator: f64, denominator: u64) -> Option<f64> {
    (denominator > 0).then(|| numerator / denominator as f64)
}

/// The quantile of sorted values with linear interpolation between order statistics (Hyndman and Fan's type 7, the
/// default of NumPy and R); `None` for no values.
#[must_use]
pub fn quantile(sorted: &[f64], probability: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = probability.clamp(0.0, 1.0) * last as f64;
    let below = position.floor();
    let low = sorted.get(below as usize).copied()?;
    let high = sorted.get((below as usize + 1).min(last)).copied()?;
    Some(low + (high - low) * (position - below))
}

//! Stratified quotas: how many samples of each class a split gets.
//!
//! # The rule
//!
//! A class of *n* samples gives a split with share *r* either ⌊n·r⌋ or ⌈n·r⌉ of them: the largest remainders are rounded
//! up. What a class's rounding took from a split or gave it is carried on to the next class, so that many small classes
//! together still come out at the wanted shares; without that, the same split would win every tie. Above that stands one
//! rule for rare classes: a class always has a sample in the split with the largest share, since what was never trained on
//! cannot be learned.
//!
//! A sample's split never moves. Later versions compute the quotas of old and new samples together, and new samples fill
//! what is missing.

/// A remainder so small that it is a rounding error of the product.
const EPSILON: f64 = 1e-9;

/// Computes quotas class by class.
pub struct Quotas<'a> {
    ratios: &'a [f64],
    /// Samples that the classes so far owe each split.
    owed: Vec<f64>,
}

impl<'a> Quotas<'a> {
    /// `ratios` sum to 1.
    pub fn new(ratios: &'a [f64]) -> Self {
        Quotas { ratios, owed: vec![0.0; ratios.len()] }
    }

    /// The next class's quota per split, for `count` samples; they sum to `count`.
    pub fn next(&mut self, count: usize) -> Vec<usize> {
        let exact: Vec<f64> = self.ratios.iter().map(|ratio| ratio * count as f64).collect();
        let mut quotas: Vec<usize> = exact.iter().map(|exact| (exact + EPSILON) as usize).collect();
        let mut by_need: Vec<usize> = (0..exact.len()).filter(|&i| self.ratios[i] > 0.0).collect();
        // In whole units, so that sums of rounding errors do not decide ties: the file's order does.
        let need = |i: usize| ((exact[i] - quotas[i] as f64 + self.owed[i]) / EPSILON).round() as i64;
        by_need.sort_by_key(|&i| (std::cmp::Reverse(need(i)), i));
        let rest = count - quotas.iter().sum::<usize>();
        for &split in by_need.iter().take(rest) {
            quotas[split] += 1;
        }
        let largest = largest(self.ratios);
        if count > 0 && quotas[largest] == 0 {
            let donor = (0..quotas.len()).max_by_key(|&i| (quotas[i], usize::MAX - i)).expect("there is a split");
            quotas[donor] -= 1;
            quotas[largest] = 1;
        }
        for split in 0..exact.len() {
            self.owed[split] += exact[split] - quotas[split] as f64;
        }
        quotas
    }
}

/// The split with the largest share, the first of equals.
fn largest(ratios: &[f64]) -> usize {
    (0..ratios.len()).rev().max_by(|&a, &b| ratios[a].total_cmp(&ratios[b])).unwrap_or(0)
}

/// How many of `fresh` new samples each split gets, so that with the `placed` ones the quotas are met as nearly as is
/// possible without moving any.
pub fn fill(quotas: &[usize], placed: &[usize], fresh: usize) -> Vec<usize> {
    let mut missing: Vec<usize> =
        quotas.iter().zip(placed).map(|(quota, placed)| quota.saturating_sub(*placed)).collect();
    // A split over its quota leaves the others short: the new samples go where most is missing.
    while missing.iter().sum::<usize>() > fresh {
        let most = (0..missing.len()).max_by_key(|&i| (missing[i], i)).expect("there is a split");
        missing[most] -= 1;
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: [f64; 3] = [0.8, 0.1, 0.1];

    #[test]
    fn round_numbers_are_met_exactly() {
        assert_eq!(Quotas::new(&USUAL).next(100), [80, 10, 10]);
        assert_eq!(Quotas::new(&[0.7, 0.3]).next(10), [7, 3]);
        assert_eq!(Quotas::new(&[1.0]).next(7), [7]);
    }

    #[test]
    fn a_class_of_one_is_in_train() {
        let mut quotas = Quotas::new(&USUAL);
        for _ in 0..50 {
            assert_eq!(quotas.next(1), [1, 0, 0]);
        }
        assert_eq!(Quotas::new(&[0.2, 0.8]).next(1), [0, 1], "train is the split with the largest share");
    }

    #[test]
    fn many_small_classes_together_keep_the_shares() {
        let mut quotas = Quotas::new(&USUAL);
        let mut sums = [0; 3];
        for _ in 0..1000 {
            quotas.next(5).iter().zip(&mut sums).for_each(|(quota, sum)| *sum += quota);
        }
        assert_eq!(sums, [4000, 500, 500]);
    }

    #[test]
    fn new_samples_fill_what_is_missing_and_nothing_moves() {
        assert_eq!(fill(&[80, 10, 10], &[40, 5, 5], 50), [40, 5, 5]);
        assert_eq!(fill(&[8, 1, 1], &[0, 5, 0], 5), [4, 0, 1], "val is over its quota for good");
        assert_eq!(fill(&[8, 1, 1], &[8, 1, 1], 0), [0, 0, 0]);
    }

    proptest! {
        #[test]
        fn quotas_sum_to_the_count_and_are_within_one(counts in prop::collection::vec(0usize..500, 1..40), cut in 1u32..99) {
            let ratios = [f64::from(cut) / 100.0, 1.0 - f64::from(cut) / 100.0];
            let mut quotas = Quotas::new(&ratios);
            for count in counts {
                let next = quotas.next(count);
                prop_assert_eq!(next.iter().sum::<usize>(), count);
                for (quota, ratio) in next.iter().zip(ratios) {
                    // The rule for rare classes may take one more.
                    prop_assert!((*quota as f64 - ratio * count as f64).abs() < 2.0);
                }
            }
        }

        #[test]
        fn fresh_samples_are_all_placed(
            (placed, fresh) in (prop::collection::vec(0usize..50, 3), 0usize..200),
        ) {
            let quotas = Quotas::new(&USUAL).next(placed.iter().sum::<usize>() + fresh);
            prop_assert_eq!(fill(&quotas, &placed, fresh).iter().sum::<usize>(), fresh);
        }
    }
}
